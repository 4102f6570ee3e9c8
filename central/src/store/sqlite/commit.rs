//! Writing what devices sent. Invariant: one transaction a batch, and no record changes anything when it comes again:
//! events, alerts and pictures by their id, minutes by device, line, minute, epoch and start.

use super::{SqliteStore, row, settle};
use crate::domain::{LineKey, LocalDay};
use crate::store::{Batch, Committed, EvidenceRow, Origin, Outcome, QuarantineRow, Record, StoreError, Tally};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;
use vong_wire::{Alert, AlertCause, CameraId, Count, DeviceStatus, Direction, Event, EventBody, LineId, State, UnixMs};

/// Rows kept in quarantine; older ones make room. The counter goes on.
const MOST_QUARANTINED: i64 = 10_000;
/// Order of what nobody entered: after all that was.
const UNKNOWN_PLACE: i64 = 1_000_000;

type Write<'t> = Transaction<'t, Sqlite>;

impl SqliteStore {
    pub(super) async fn commit_batch(&self, batch: &Batch) -> Result<Committed, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let done = commit_in(&mut connection, batch).await;
        settle(connection, done)
    }

    pub(super) async fn write_all_offline(&self, now_ms: UnixMs) -> Result<(), StoreError> {
        sqlx::query("UPDATE device SET status = 'offline', since_ms = $1 WHERE status = 'online'")
            .bind(now_ms)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    pub(super) async fn write_online(&self, origin: &Origin) -> Result<bool, StoreError> {
        let update = "UPDATE device SET status = 'online', since_ms = $1
                      WHERE site = $2 AND id = $3 AND status = 'offline'";
        let done = sqlx::query(update)
            .bind(origin.received_ms)
            .bind(origin.site.as_str())
            .bind(origin.device.as_str())
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

/// The connection is thrown away on an error, so nothing need be undone here.
async fn commit_in(connection: &mut SqliteConnection, batch: &Batch) -> Result<Committed, StoreError> {
    let mut write = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut committed = Committed::default();
    let mut registry = Registry::default();
    let mut moved = BTreeSet::new();
    let mut quarantined = 0;
    for record in &batch.records {
        registry.enter(&mut write, record).await?;
        let outcome = match record {
            Record::Event(origin, event) => {
                let outcome = put_event(&mut write, origin, event, batch.stored_ms).await?;
                if outcome == Outcome::New
                    && let Some(tally) = move_tally(&mut write, origin, event).await?
                {
                    moved.insert(tally);
                }
                outcome
            }
            Record::Alert(origin, alert, live) => put_alert(&mut write, origin, alert, *live, batch.stored_ms).await?,
            Record::Count(origin, count) => put_count(&mut write, origin, count).await?,
            Record::Evidence(origin, evidence) => put_evidence(&mut write, origin, evidence).await?,
            Record::State(origin, state) => put_state(&mut write, origin, state).await?,
            Record::Quarantine(message) => {
                quarantined += 1;
                put_quarantine(&mut write, message).await?
            }
        };
        committed.outcomes.push(outcome);
    }
    let doubled = committed
        .outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Double)
        .count();
    raise(&mut write, "doubled", doubled as i64).await?;
    raise(&mut write, "quarantined", quarantined).await?;
    for (key, day) in moved {
        committed.tallies.push(tally(&mut write, key, day).await?);
    }
    write.commit().await?;
    committed.registered = registry.registered;
    Ok(committed)
}

fn outcome(rows: u64) -> Outcome {
    if rows > 0 { Outcome::New } else { Outcome::Double }
}

/// Enters sites, devices, cameras and lines that nobody had entered, once a batch.
#[derive(Default)]
struct Registry {
    seen: HashSet<(String, String, String, String)>,
    registered: Vec<String>,
}

impl Registry {
    async fn enter(&mut self, write: &mut Write<'_>, record: &Record) -> Result<(), StoreError> {
        let (origin, camera, line) = match record {
            Record::Event(origin, event) => {
                let line = match &event.body {
                    EventBody::Crossing(crossing) => Some(&crossing.line),
                    EventBody::Recognition(_) | EventBody::Plate(_) => None,
                };
                (origin, Some(&event.camera), line)
            }
            Record::Alert(origin, alert, _) => (origin, Some(&alert.camera), None),
            Record::Count(origin, count) => (origin, Some(&count.camera), Some(&count.line)),
            Record::Evidence(origin, _) | Record::State(origin, _) => (origin, None, None),
            Record::Quarantine(_) => return Ok(()),
        };
        let text = |id: Option<&str>| id.unwrap_or_default().to_string();
        let camera_text = text(camera.map(CameraId::as_str));
        let line_text = text(line.map(LineId::as_str));
        let (site, device) = (origin.site.to_string(), origin.device.to_string());
        if !self
            .seen
            .insert((site.clone(), device.clone(), camera_text.clone(), line_text.clone()))
        {
            return Ok(());
        }
        sqlx::query("INSERT INTO site (id, name_vi, name_en) VALUES ($1, $1, $1) ON CONFLICT (id) DO NOTHING")
            .bind(&site)
            .execute(&mut **write)
            .await?;
        let insert = "INSERT INTO device (site, id, place, name_vi, name_en, known, since_ms, first_seen_ms)
                      VALUES ($1, $2, $3, $2, $2, FALSE, $4, $4) ON CONFLICT (site, id) DO NOTHING";
        let added = sqlx::query(insert)
            .bind(&site)
            .bind(&device)
            .bind(UNKNOWN_PLACE)
            .bind(origin.received_ms)
            .execute(&mut **write)
            .await?;
        self.note(added.rows_affected(), &[&site, &device]);
        if camera.is_some() {
            let insert = "INSERT INTO camera (site, device, id, place, name_vi, name_en)
                          VALUES ($1, $2, $3, $4, $3, $3) ON CONFLICT (site, device, id) DO NOTHING";
            let added = sqlx::query(insert)
                .bind(&site)
                .bind(&device)
                .bind(&camera_text)
                .bind(UNKNOWN_PLACE)
                .execute(&mut **write)
                .await?;
            self.note(added.rows_affected(), &[&site, &device, &camera_text]);
        }
        if line.is_some() {
            let insert = "INSERT INTO line (site, device, camera, id, place, name_vi, name_en)
                          VALUES ($1, $2, $3, $4, $5, $4, $4) ON CONFLICT (site, device, camera, id) DO NOTHING";
            let added = sqlx::query(insert)
                .bind(&site)
                .bind(&device)
                .bind(&camera_text)
                .bind(&line_text)
                .bind(UNKNOWN_PLACE)
                .execute(&mut **write)
                .await?;
            self.note(added.rows_affected(), &[&site, &device, &camera_text, &line_text]);
        }
        Ok(())
    }

    fn note(&mut self, rows: u64, path: &[&str]) {
        if rows > 0 {
            self.registered.push(path.join("/"));
        }
    }
}

async fn put_event(
    write: &mut Write<'_>,
    origin: &Origin,
    event: &Event,
    stored_ms: UnixMs,
) -> Result<Outcome, StoreError> {
    let kind = match event.body {
        EventBody::Crossing(_) => "crossing",
        EventBody::Recognition(_) => "recognition",
        EventBody::Plate(_) => "plate",
    };
    let insert = "INSERT INTO event (id, site, device, camera, kind, camera_time_ms, received_ms, stored_ms, body)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(event.id.0)
        .bind(origin.site.as_str())
        .bind(origin.device.as_str())
        .bind(event.camera.as_str())
        .bind(kind)
        .bind(event.camera_time_ms)
        .bind(origin.received_ms)
        .bind(stored_ms)
        .bind(row::to_json(event)?)
        .execute(&mut **write)
        .await?;
    Ok(outcome(done.rows_affected()))
}

async fn move_tally(
    write: &mut Write<'_>,
    origin: &Origin,
    event: &Event,
) -> Result<Option<(LineKey, LocalDay)>, StoreError> {
    let EventBody::Crossing(crossing) = &event.body else {
        return Ok(None);
    };
    let (entered, departed) = match crossing.direction {
        Direction::In => (1_i64, 0_i64),
        Direction::Out => (0, 1),
    };
    let key = LineKey {
        site: origin.site.clone(),
        device: origin.device.clone(),
        camera: event.camera.clone(),
        line: crossing.line.clone(),
    };
    let day = LocalDay::of(event.camera_time_ms);
    let upsert = "INSERT INTO tally (site, device, camera, line, day, entered, departed)
                  VALUES ($1, $2, $3, $4, $5, $6, $7)
                  ON CONFLICT (day, site, device, camera, line)
                  DO UPDATE SET entered = tally.entered + excluded.entered,
                                departed = tally.departed + excluded.departed";
    sqlx::query(upsert)
        .bind(key.site.as_str())
        .bind(key.device.as_str())
        .bind(key.camera.as_str())
        .bind(key.line.as_str())
        .bind(day.0)
        .bind(entered)
        .bind(departed)
        .execute(&mut **write)
        .await?;
    Ok(Some((key, day)))
}

async fn tally(write: &mut Write<'_>, key: LineKey, day: LocalDay) -> Result<Tally, StoreError> {
    let select = "SELECT entered, departed FROM tally
                  WHERE day = $1 AND site = $2 AND device = $3 AND camera = $4 AND line = $5";
    let found = sqlx::query(select)
        .bind(day.0)
        .bind(key.site.as_str())
        .bind(key.device.as_str())
        .bind(key.camera.as_str())
        .bind(key.line.as_str())
        .fetch_one(&mut **write)
        .await?;
    Ok(Tally {
        key,
        day,
        entered: row::number(&found, "entered")?,
        departed: row::number(&found, "departed")?,
    })
}

async fn put_alert(
    write: &mut Write<'_>,
    origin: &Origin,
    alert: &Alert,
    live: bool,
    stored_ms: UnixMs,
) -> Result<Outcome, StoreError> {
    let list = match &alert.cause {
        AlertCause::Face { list, .. } | AlertCause::Plate { list, .. } => list,
    };
    let insert =
        "INSERT INTO alert (id, site, device, camera, camera_time_ms, received_ms, stored_ms, live, exercise, body)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
                          COALESCE((SELECT exercise FROM list WHERE id = $9), FALSE), $10)
                  ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(alert.id.0)
        .bind(origin.site.as_str())
        .bind(origin.device.as_str())
        .bind(alert.camera.as_str())
        .bind(alert.camera_time_ms)
        .bind(origin.received_ms)
        .bind(stored_ms)
        .bind(live)
        .bind(list.as_str())
        .bind(row::to_json(alert)?)
        .execute(&mut **write)
        .await?;
    Ok(outcome(done.rows_affected()))
}

async fn put_count(write: &mut Write<'_>, origin: &Origin, count: &Count) -> Result<Outcome, StoreError> {
    let upsert = "INSERT INTO count_minute (site, device, camera, line, minute_ms, epoch_ms, boot,
                                            entered, departed, total_in, total_out, coverage, received_ms)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                  ON CONFLICT (site, device, camera, line, minute_ms, epoch_ms, boot)
                  DO UPDATE SET entered = excluded.entered, departed = excluded.departed,
                                total_in = excluded.total_in, total_out = excluded.total_out,
                                coverage = excluded.coverage, received_ms = excluded.received_ms
                  WHERE excluded.total_in + excluded.total_out > count_minute.total_in + count_minute.total_out
                     OR excluded.coverage > count_minute.coverage";
    let done = sqlx::query(upsert)
        .bind(origin.site.as_str())
        .bind(origin.device.as_str())
        .bind(count.camera.as_str())
        .bind(count.line.as_str())
        .bind(count.minute_ms)
        .bind(count.epoch_ms)
        .bind(count.boot.0)
        .bind(i64::from(count.entered))
        .bind(i64::from(count.left))
        .bind(count.total_in as i64)
        .bind(count.total_out as i64)
        .bind(f64::from(count.coverage))
        .bind(origin.received_ms)
        .execute(&mut **write)
        .await?;
    Ok(outcome(done.rows_affected()))
}

async fn put_evidence(write: &mut Write<'_>, origin: &Origin, evidence: &EvidenceRow) -> Result<Outcome, StoreError> {
    let insert = "INSERT INTO evidence (alert, site, device, received_ms, file, bytes)
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (alert) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(evidence.alert.0)
        .bind(origin.site.as_str())
        .bind(origin.device.as_str())
        .bind(origin.received_ms)
        .bind(&evidence.file)
        .bind(evidence.bytes as i64)
        .execute(&mut **write)
        .await?;
    Ok(outcome(done.rows_affected()))
}

/// A last will was written when its connection began, so the watchlists it names may be old ones.
async fn put_state(write: &mut Write<'_>, origin: &Origin, state: &State) -> Result<Outcome, StoreError> {
    let is_will = state.status == DeviceStatus::Offline;
    let update = "UPDATE device SET since_ms = CASE WHEN status = $1 THEN since_ms ELSE $2 END,
                                    first_seen_ms = COALESCE(first_seen_ms, $2), version = $3, models = $4,
                                    bundle_version = CASE WHEN $5 THEN bundle_version ELSE $6 END,
                                    status = $1
                  WHERE site = $7 AND id = $8";
    sqlx::query(update)
        .bind(row::name_of(&state.status)?)
        .bind(origin.received_ms)
        .bind(&state.version)
        .bind(row::to_json(&state.models)?)
        .bind(is_will)
        .bind(state.bundle_version as i64)
        .bind(origin.site.as_str())
        .bind(origin.device.as_str())
        .execute(&mut **write)
        .await?;
    Ok(Outcome::New)
}

async fn put_quarantine(write: &mut Write<'_>, message: &QuarantineRow) -> Result<Outcome, StoreError> {
    let insert = "INSERT INTO quarantine (id, received_ms, topic, reason, head, bytes) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(insert)
        .bind(Uuid::now_v7())
        .bind(message.received_ms)
        .bind(&message.topic)
        .bind(&message.reason)
        .bind(&message.head)
        .bind(message.bytes as i64)
        .execute(&mut **write)
        .await?;
    let trim = "DELETE FROM quarantine WHERE id IN
                (SELECT id FROM quarantine ORDER BY received_ms DESC, id DESC LIMIT 100 OFFSET $1)";
    sqlx::query(trim).bind(MOST_QUARANTINED).execute(&mut **write).await?;
    Ok(Outcome::New)
}

async fn raise(write: &mut Write<'_>, counter: &'static str, by: i64) -> Result<(), StoreError> {
    if by == 0 {
        return Ok(());
    }
    let upsert = "INSERT INTO counter (name, value) VALUES ($1, $2)
                  ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value";
    sqlx::query(upsert).bind(counter).bind(by).execute(&mut **write).await?;
    Ok(())
}
