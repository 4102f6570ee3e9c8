//! The tables of the outbox. `AUTOINCREMENT` keeps a number from being used twice even when the newest is deleted.

pub(super) const MIGRATION: &str = "
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('alert', 'evidence', 'event', 'count')),
    id BLOB,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS message_in_order ON message (lane, seq);
CREATE TABLE IF NOT EXISTS total (
    camera TEXT NOT NULL,
    line TEXT NOT NULL,
    epoch_ms INTEGER NOT NULL,
    entered INTEGER NOT NULL,
    left_ INTEGER NOT NULL,
    PRIMARY KEY (camera, line)
);
";
