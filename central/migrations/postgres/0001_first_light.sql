-- What the office of a province keeps: the same tables as in ../sqlite, and beyond them events, alerts and minutes by day.
-- Names come in two languages. Times are ms since 1970 UTC. Ids are compared byte by byte, whatever the database's language.
-- Personal data: alert, event (plates), evidence, entry, photograph, quarantine. Counts hold none.

CREATE TABLE province (
    id TEXT COLLATE "C" PRIMARY KEY,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE site (
    id TEXT COLLATE "C" PRIMARY KEY,
    province TEXT COLLATE "C" CONSTRAINT site_has_province REFERENCES province (id),
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE gate (
    site TEXT COLLATE "C" NOT NULL CONSTRAINT gate_has_site REFERENCES site (id),
    id TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    PRIMARY KEY (site, id)
);

CREATE TABLE device (
    site TEXT COLLATE "C" NOT NULL CONSTRAINT device_has_site REFERENCES site (id),
    id TEXT COLLATE "C" NOT NULL,
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
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    PRIMARY KEY (site, device, id),
    CONSTRAINT camera_has_device FOREIGN KEY (site, device) REFERENCES device (site, id)
);

CREATE TABLE line (
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    name_vi TEXT NOT NULL,
    name_en TEXT NOT NULL,
    gate TEXT COLLATE "C",
    PRIMARY KEY (site, device, camera, id),
    CONSTRAINT line_has_camera FOREIGN KEY (site, device, camera) REFERENCES camera (site, device, id),
    CONSTRAINT line_has_gate FOREIGN KEY (site, gate) REFERENCES gate (site, id)
);

CREATE TABLE list (
    id TEXT COLLATE "C" PRIMARY KEY,
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
    list TEXT COLLATE "C" NOT NULL CONSTRAINT entry_has_list REFERENCES list (id),
    id TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    label_vi TEXT NOT NULL,
    label_en TEXT NOT NULL,
    plate TEXT,
    colour TEXT,
    PRIMARY KEY (list, id)
);

-- A photograph stays where it lies; here is what was made of it. A fault makes it unusable.
CREATE TABLE photograph (
    list TEXT COLLATE "C" NOT NULL,
    entry TEXT COLLATE "C" NOT NULL,
    place BIGINT NOT NULL,
    source TEXT NOT NULL,
    sha256 TEXT,
    model TEXT,
    -- 32-bit floats, least significant byte first, unit length
    embedding BYTEA,
    fault TEXT,
    PRIMARY KEY (list, entry, place),
    CONSTRAINT photograph_has_entry FOREIGN KEY (list, entry) REFERENCES entry (list, id)
);

-- One row: the version of the watchlists and the hash of what they hold.
CREATE TABLE bundle_version (
    one BIGINT PRIMARY KEY CONSTRAINT one_bundle_version CHECK (one = 1),
    version BIGINT NOT NULL,
    sha256 TEXT NOT NULL
);

-- By day: a partition holds the ids that were made on a local day (UTC+7). The day is that of the id, not of the picture,
-- because the id alone is the same for every sending: it is what doubles are known by. `make_day` makes the partitions;
-- what belongs to no day that was made (a device whose clock is years off) lies in the default ones.
CREATE TABLE event (
    id UUID NOT NULL,
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    camera_time_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL,
    -- the message as JSON
    body TEXT NOT NULL,
    CONSTRAINT event_once PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX event_by_time ON event (camera_time_ms, id);
CREATE TABLE event_other PARTITION OF event DEFAULT;

CREATE TABLE alert (
    id UUID NOT NULL,
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    camera_time_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    stored_ms BIGINT NOT NULL,
    -- fresh enough to be an alarm when it came
    live BOOLEAN NOT NULL,
    -- the list was an exercise when it came
    exercise BOOLEAN NOT NULL,
    body TEXT NOT NULL,
    CONSTRAINT alert_once PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE INDEX alert_by_time ON alert (camera_time_ms, id);
CREATE TABLE alert_other PARTITION OF alert DEFAULT;

-- What a device told of a minute. Of several tellings each figure keeps its largest value, whatever the order.
CREATE TABLE count_minute (
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    line TEXT COLLATE "C" NOT NULL,
    minute_ms BIGINT NOT NULL,
    epoch_ms BIGINT NOT NULL,
    boot UUID NOT NULL,
    entered BIGINT NOT NULL,
    departed BIGINT NOT NULL,
    total_in BIGINT NOT NULL,
    total_out BIGINT NOT NULL,
    coverage DOUBLE PRECISION NOT NULL,
    received_ms BIGINT NOT NULL,
    CONSTRAINT minute_once PRIMARY KEY (minute_ms, site, device, camera, line, epoch_ms, boot)
) PARTITION BY RANGE (minute_ms);
CREATE TABLE count_minute_other PARTITION OF count_minute DEFAULT;

-- Makes the partitions of a local day, counted from 1970-01-01, where they are missing. Attached, not created in place:
-- that lets readers and writers of other days go on. Where the default partition holds rows of the day already, they and
-- those that follow stay there.
CREATE FUNCTION make_day(day BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    suffix CONSTANT TEXT := to_char(DATE '1970-01-01' + day::INT, 'YYYYMMDD');
    from_ms CONSTANT BIGINT := day * 86400000 - 25200000;
    parent TEXT;
    from_key TEXT;
    to_key TEXT;
BEGIN
    -- "vong" and "days": one process makes days at a time.
    PERFORM pg_advisory_xact_lock(x'766f6e67'::INT, x'64617973'::INT);
    FOREACH parent IN ARRAY ARRAY['event', 'alert', 'count_minute'] LOOP
        CONTINUE WHEN to_regclass(parent || '_' || suffix) IS NOT NULL;
        IF parent = 'count_minute' THEN
            from_key := from_ms::TEXT;
            to_key := (from_ms + 86400000)::TEXT;
        ELSE
            -- The first 48 bits of a UUID of version 7 are its time.
            from_key := quote_literal(rpad(lpad(to_hex(from_ms), 12, '0'), 32, '0'));
            to_key := quote_literal(rpad(lpad(to_hex(from_ms + 86400000), 12, '0'), 32, '0'));
        END IF;
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || '_' || suffix, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           parent, parent || '_' || suffix, from_key, to_key);
        EXCEPTION WHEN check_violation THEN
            RAISE NOTICE 'rows of % lie in %_other already and stay there', suffix, parent;
        END;
    END LOOP;
END
$$;

CREATE TABLE evidence (
    alert UUID PRIMARY KEY,
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    received_ms BIGINT NOT NULL,
    -- below the evidence folder; empty once the picture was deleted after its time
    file TEXT NOT NULL,
    bytes BIGINT NOT NULL
);
CREATE INDEX evidence_by_age ON evidence (received_ms);

-- Crossings of a local day, moved in the same transaction that stores the crossing.
CREATE TABLE tally (
    site TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    camera TEXT COLLATE "C" NOT NULL,
    line TEXT COLLATE "C" NOT NULL,
    -- local days since 1970-01-01
    day BIGINT NOT NULL,
    entered BIGINT NOT NULL CONSTRAINT tally_entered CHECK (entered >= 0),
    departed BIGINT NOT NULL CONSTRAINT tally_departed CHECK (departed >= 0),
    PRIMARY KEY (day, site, device, camera, line)
);

CREATE TABLE quarantine (
    id UUID PRIMARY KEY,
    received_ms BIGINT NOT NULL,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- the beginning of it
    head BYTEA NOT NULL,
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
    id UUID PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL
);
CREATE INDEX access_by_time ON access_log (at_ms);

CREATE TABLE users (
    id TEXT COLLATE "C" PRIMARY KEY,
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
