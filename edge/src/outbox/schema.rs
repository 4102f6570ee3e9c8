//! The tables of the outbox. `AUTOINCREMENT` keeps a number from being used twice even when the newest is deleted.
//! Triggers keep the sum of bytes, so that it is right after every crash.

/// What a message takes beside its body: the row, its place in the index, its share of half-filled pages.
pub(super) const OVERHEAD_BYTES: u64 = 128;

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
-- Crossings of minutes whose count is not made yet.
CREATE TABLE IF NOT EXISTS open_minute (
    camera TEXT NOT NULL,
    line TEXT NOT NULL,
    minute_ms INTEGER NOT NULL,
    boot BLOB NOT NULL,
    entered INTEGER NOT NULL,
    left_ INTEGER NOT NULL,
    PRIMARY KEY (camera, line, minute_ms, boot)
);
-- The newest minute whose count is made: a crossing that is told later belongs to the next.
CREATE TABLE IF NOT EXISTS told_minute (
    camera TEXT NOT NULL,
    line TEXT NOT NULL,
    minute_ms INTEGER NOT NULL,
    boot BLOB NOT NULL,
    PRIMARY KEY (camera, line)
);
-- Messages given up because the outbox was full, by lane.
CREATE TABLE IF NOT EXISTS fold (
    lane INTEGER PRIMARY KEY,
    times INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS stock (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    bytes INTEGER NOT NULL
);
-- A file of version 0.1 has neither the sum nor a lane of its own for crossings.
UPDATE message SET lane = 4 WHERE kind = 'count' AND lane = 3 AND NOT EXISTS (SELECT 1 FROM stock);
INSERT OR IGNORE INTO stock SELECT 1, coalesce(sum(length(body) + 128), 0) FROM message;
CREATE TRIGGER IF NOT EXISTS message_comes AFTER INSERT ON message BEGIN
    UPDATE stock SET bytes = bytes + length(new.body) + 128;
END;
CREATE TRIGGER IF NOT EXISTS message_goes AFTER DELETE ON message BEGIN
    UPDATE stock SET bytes = bytes - length(old.body) - 128;
END;
";
