//! Writing what devices sent. Invariant: one transaction a batch, and no record changes anything when it comes again:
//! events, alerts and pictures by their id, minutes by device, line, minute, epoch and start. One text for both
//! databases; what each does in its own way to many rows at once is its `bulk`.

use super::{Db, DbConnection, ThisStore, Write, begin_alone, begin_write, bulk, row};
use crate::domain::LineKey;
use crate::store::group::{DayKey, Grouped, Item, Place};
use crate::store::{Committed, Origin, Outcome, QuarantineRow, StoreError, Tally};
use sqlx::pool::PoolConnection;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;
use vong_wire::{CameraId, DeviceId, DeviceStatus, IdError, LineId, SiteId, State, UnixMs};

/// Rows kept in quarantine; older ones make room. The counter goes on.
const MOST_QUARANTINED: i64 = 10_000;
/// Order of what nobody entered: after all that was.
const UNKNOWN_PLACE: i64 = 1_000_000;
/// Places remembered; beyond it the memory begins anew, and the database is asked again.
const MOST_PLACES: usize = 100_000;

/// Places that are known to be in the database, from where nothing ever takes them away.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashSet<String>>);

impl Places {
    fn strange<'b>(&self, grouped: &Grouped<'b>) -> Vec<Place<'b>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let strange = |place: &&Place<'_>| !known.contains(&path(place));
        grouped.places.iter().filter(strange).copied().collect()
    }

    fn remember(&self, places: &[Place<'_>]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + places.len() > MOST_PLACES {
            known.clear();
        }
        known.extend(places.iter().map(path));
    }
}

fn path(place: &Place<'_>) -> String {
    let mut path = format!("{}/{}", place.site, place.device);
    for part in [place.camera, place.line].into_iter().flatten() {
        path.push('/');
        path.push_str(part);
    }
    path
}

/// Gives a writing connection back. After a failure it is closed instead and the next writer gets a fresh one: SQLite
/// rolls back by itself when the disk is full, sqlx 0.9 does not notice, and every later BEGIN on it would be refused.
pub(super) fn settle<T>(mut connection: PoolConnection<Db>, done: Result<T, StoreError>) -> Result<T, StoreError> {
    if done.is_err() {
        connection.close_on_drop();
    }
    done
}

impl ThisStore {
    pub(super) async fn commit_once(&self, grouped: &Grouped<'_>, stored_ms: UnixMs) -> Result<Committed, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let strange = self.places.strange(grouped);
        let done = commit_in(&mut connection, grouped, &strange, stored_ms, self.teller).await;
        let committed = settle(connection, done)?;
        self.places.remember(&strange);
        Ok(committed)
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

/// The connection is thrown away on an error, so nothing need be undone here. Rows that every process touches come last:
/// they are locked until the end.
async fn commit_in(
    connection: &mut DbConnection,
    grouped: &Grouped<'_>,
    strange: &[Place<'_>],
    stored_ms: UnixMs,
    teller: Uuid,
) -> Result<Committed, StoreError> {
    // Strangers are entered one process at a time: they are rare, and each row of them leans on another.
    let mut write = match strange.is_empty() {
        true => begin_write(connection).await?,
        false => begin_alone(connection).await?,
    };
    let mut committed = Committed {
        outcomes: grouped.outcomes(),
        ..Committed::default()
    };
    for place in strange {
        enter(&mut write, place, stored_ms, &mut committed.registered).await?;
    }
    let mut new = bulk::put_events(&mut write, &grouped.events, stored_ms).await?;
    let moves = {
        let new: HashSet<usize> = new.iter().copied().collect();
        grouped.moves(|index| new.contains(&index))
    };
    new.extend(bulk::put_alerts(&mut write, &grouped.alerts, stored_ms).await?);
    new.extend(bulk::put_minutes(&mut write, &grouped.minutes).await?);
    new.extend(bulk::put_evidence(&mut write, &grouped.evidence).await?);
    for index in new {
        committed.outcomes[index] = Outcome::New;
    }
    for (_, message) in &grouped.quarantine {
        put_quarantine(&mut write, message).await?;
    }
    for state in &grouped.states {
        put_state(&mut write, state).await?;
    }
    let doubled = committed
        .outcomes
        .iter()
        .filter(|outcome| **outcome == Outcome::Double)
        .count();
    raise(&mut write, "doubled", doubled as i64).await?;
    raise(&mut write, "quarantined", grouped.quarantine.len() as i64).await?;
    committed.tallies = bulk::move_tallies(&mut write, &moves).await?;
    bulk::tell_others(&mut write, teller, grouped, &committed).await?;
    write.commit().await?;
    Ok(committed)
}

/// A day of a line as it stands now.
pub(super) fn tally(key: &DayKey<'_>, entered: u64, departed: u64) -> Result<Tally, StoreError> {
    let unreadable = |cause: IdError| StoreError::Row {
        what: "tally",
        cause: cause.into(),
    };
    Ok(Tally {
        key: LineKey {
            site: SiteId::new(key.site).map_err(unreadable)?,
            device: DeviceId::new(key.device).map_err(unreadable)?,
            camera: CameraId::new(key.camera).map_err(unreadable)?,
            line: LineId::new(key.line).map_err(unreadable)?,
        },
        day: key.day,
        entered,
        departed,
    })
}

/// Enters a site, device, camera or line that nobody had entered.
async fn enter(
    write: &mut Write<'_>,
    place: &Place<'_>,
    now_ms: UnixMs,
    registered: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut note = |rows: u64, path: &[&str]| {
        if rows > 0 {
            registered.push(path.join("/"));
        }
    };
    let (site, device) = (place.site, place.device);
    sqlx::query("INSERT INTO site (id, name_vi, name_en) VALUES ($1, $1, $1) ON CONFLICT (id) DO NOTHING")
        .bind(site)
        .execute(&mut **write)
        .await?;
    let insert = "INSERT INTO device (site, id, place, name_vi, name_en, known, since_ms, first_seen_ms)
                  VALUES ($1, $2, $3, $2, $2, FALSE, $4, $4) ON CONFLICT (site, id) DO NOTHING";
    let added = sqlx::query(insert)
        .bind(site)
        .bind(device)
        .bind(UNKNOWN_PLACE)
        .bind(now_ms)
        .execute(&mut **write)
        .await?;
    note(added.rows_affected(), &[site, device]);
    let Some(camera) = place.camera else {
        return Ok(());
    };
    let insert = "INSERT INTO camera (site, device, id, place, name_vi, name_en)
                  VALUES ($1, $2, $3, $4, $3, $3) ON CONFLICT (site, device, id) DO NOTHING";
    let added = sqlx::query(insert)
        .bind(site)
        .bind(device)
        .bind(camera)
        .bind(UNKNOWN_PLACE)
        .execute(&mut **write)
        .await?;
    note(added.rows_affected(), &[site, device, camera]);
    let Some(line) = place.line else {
        return Ok(());
    };
    let insert = "INSERT INTO line (site, device, camera, id, place, name_vi, name_en)
                  VALUES ($1, $2, $3, $4, $5, $4, $4) ON CONFLICT (site, device, camera, id) DO NOTHING";
    let added = sqlx::query(insert)
        .bind(site)
        .bind(device)
        .bind(camera)
        .bind(line)
        .bind(UNKNOWN_PLACE)
        .execute(&mut **write)
        .await?;
    note(added.rows_affected(), &[site, device, camera, line]);
    Ok(())
}

/// A last will was written when its connection began, so the watchlists it names may be old ones.
async fn put_state(write: &mut Write<'_>, item: &Item<'_, State>) -> Result<(), StoreError> {
    let Item {
        origin, what: state, ..
    } = item;
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
    Ok(())
}

async fn put_quarantine(write: &mut Write<'_>, message: &QuarantineRow) -> Result<(), StoreError> {
    // A server's text holds no NUL, and what goes to quarantine must never be refused itself.
    let readable = |text: &str| text.replace('\0', "\u{fffd}");
    let insert = "INSERT INTO quarantine (id, received_ms, topic, reason, head, bytes) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(insert)
        .bind(Uuid::now_v7())
        .bind(message.received_ms)
        .bind(readable(&message.topic))
        .bind(readable(&message.reason))
        .bind(&message.head)
        .bind(message.bytes as i64)
        .execute(&mut **write)
        .await?;
    let trim = "DELETE FROM quarantine WHERE id IN
                (SELECT id FROM quarantine ORDER BY received_ms DESC, id DESC LIMIT 100 OFFSET $1)";
    sqlx::query(trim).bind(MOST_QUARANTINED).execute(&mut **write).await?;
    Ok(())
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
