-- What the office keeps. Names come in two languages. Times are ms since 1970 UTC. Ids of events are UUIDs (16 bytes).
-- Personal data: alert, event (plates), evidence, entry, photograph, quarantine. Counts hold none.

CREATE TABLE province (
    id TEXT PRIMARY KEY,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE site (
    id TEXT PRIMARY KEY,
    province TEXT REFERENCES province (id),
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE gate (
    site TEXT NOT NULL REFERENCES site (id),
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    PRIMARY KEY (site, id)
);

CREATE TABLE device (
    site TEXT NOT NULL REFERENCES site (id),
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    -- FALSE: it announced itself and nobody has entered it.
    known BOOLEAN NOT NULL,
    -- online, offline, stopped, never
    status TEXT NOT NULL DEFAULT 'never',
    since_ms BIGINT NOT NULL,
    first_seen_ms BIGINT,
    version TEXT NOT NULL DEFAULT '',
    models TEXT NOT NULL DEFAULT '{}',
    bundle_version BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (site, id)
);

CREATE TABLE camera (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    PRIMARY KEY (site, device, id),
    FOREIGN KEY (site, device) REFERENCES device (site, id)
);

CREATE TABLE line (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    camera TEXT NOT NULL,
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    gate TEXT,
    PRIMARY KEY (site, device, camera, id),
    FOREIGN KEY (site, device, camera) REFERENCES camera (site, device, id),
    FOREIGN KEY (site, gate) REFERENCES gate (site, id)
);

CREATE TABLE list (
    id TEXT PRIMARY KEY,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    -- notice, alarm
    severity TEXT NOT NULL,
    exercise BOOLEAN NOT NULL,
    -- faces, plates
    kind TEXT NOT NULL,
    threshold REAL
);

CREATE TABLE entry (
    list TEXT NOT NULL REFERENCES list (id),
    id TEXT NOT NULL,
    place BIGINT NOT NULL,
    label_vi TEXT NOT NULL,
    label_en TEXT NOT NULL,
    plate TEXT,
    colour TEXT,
    PRIMARY KEY (list, id)
);

-- A photograph stays where it lies; here is what was made of it. A fault makes it unusable.
CREATE TABLE photograph (
    list TEXT NOT NULL,
    entry TEXT NOT NULL,
    place BIGINT NOT NULL,
    source TEXT NOT NULL,
    sha256 TEXT,
    model TEXT,
    -- 32-bit floats, least significant byte first, unit length
    embedding BLOB,
    fault TEXT,
    PRIMARY KEY (list, entry, place),
    FOREIGN KEY (list, entry) REFERENCES entry (list, id)
);

-- One row: the version of the watchlists and the hash of what they hold.
CREATE TABLE bundle_version (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL,
    sha256 TEXT NOT NULL
);

CREATE TABLE event (
    id BLOB PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    camera TEXT NOT NULL,
    kind TEXT NOT NULL,
    camera_time_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL,
    -- the message as JSON
    body TEXT NOT NULL
);
CREATE INDEX event_by_time ON event (camera_time_ms, id);

CREATE TABLE alert (
    id BLOB PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    camera TEXT NOT NULL,
    camera_time_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL,
    -- fresh enough to be an alarm when it came
    live BOOLEAN NOT NULL,
    -- the list was an exercise when it came
    exercise BOOLEAN NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX alert_by_time ON alert (camera_time_ms, id);

CREATE TABLE evidence (
    alert BLOB PRIMARY KEY,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    -- below the evidence folder; empty once the picture was deleted after its time
    file TEXT NOT NULL,
    bytes BIGINT NOT NULL
);
CREATE INDEX evidence_by_age ON evidence (received_ms);

-- What a device told of a minute. The newer of two tellings has the larger totals.
CREATE TABLE count_minute (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    camera TEXT NOT NULL,
    line TEXT NOT NULL,
    minute_ms BIGINT NOT NULL,
    epoch_ms BIGINT NOT NULL,
    boot BLOB NOT NULL,
    entered BIGINT NOT NULL,
    departed BIGINT NOT NULL,
    total_in BIGINT NOT NULL,
    total_out BIGINT NOT NULL,
    coverage REAL NOT NULL,
    received_ms BIGINT NOT NULL,
    PRIMARY KEY (site, device, camera, line, minute_ms, epoch_ms, boot)
);
CREATE INDEX count_by_time ON count_minute (minute_ms);

-- Crossings of a local day, moved in the same transaction that stores the crossing.
CREATE TABLE tally (
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    camera TEXT NOT NULL,
    line TEXT NOT NULL,
    -- local days since 1970-01-01
    day BIGINT NOT NULL,
    entered BIGINT NOT NULL,
    departed BIGINT NOT NULL,
    PRIMARY KEY (day, site, device, camera, line)
);

CREATE TABLE quarantine (
    id BLOB PRIMARY KEY,
    received_ms BIGINT NOT NULL,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- the beginning of it
    head BLOB NOT NULL,
    bytes BIGINT NOT NULL
);
CREATE INDEX quarantine_by_time ON quarantine (received_ms);

-- Rising numbers: quarantined, doubled.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- Who looked at whose data.
CREATE TABLE access_log (
    id BLOB PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL
);
CREATE INDEX access_by_time ON access_log (at_ms);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    role TEXT NOT NULL,
    -- argon2id, PHC string; none: cannot log in
    password_hash TEXT,
    changed_ms BIGINT NOT NULL
);

-- Seed files that were taken in, by content: one that has not changed never overwrites what people changed since.
CREATE TABLE seed_file (
    name TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    taken_ms BIGINT NOT NULL
);
