//! Many rows at once, the way of SQLite: rows of a statement share its cost, prepared once for each number of rows.

use super::minute::of_later_telling;
use super::{Write, row, tally};
use crate::store::group::{DayKey, Grouped, Item, Minute, MinuteKey, kind};
use crate::store::{Committed, EvidenceRow, StoreError, Tally};
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, HashSet};
use uuid::Uuid;
use vong_wire::{Alert, Event, UnixMs};

/// Rows of one statement; the last few rows of a batch are written in smaller ones.
const CHUNKS: [usize; 3] = [128, 16, 1];
const EVENT_COLUMNS: usize = 9;

/// Writes events; the places in the batch of those that were not there. Nobody else writes meanwhile, so what is not there
/// when it is looked for is still not there when it is written.
pub(super) async fn put_events(
    write: &mut Write<'_>,
    events: &[Item<'_, Event>],
    stored_ms: UnixMs,
) -> Result<Vec<usize>, StoreError> {
    let mut there: HashSet<Uuid> = HashSet::new();
    for chunk in chunks(events) {
        let select = format!("SELECT id FROM event WHERE id IN ({})", places(chunk.len()));
        let mut query = sqlx::query(AssertSqlSafe(select));
        for item in chunk {
            query = query.bind(item.what.id.0);
        }
        for found in query.fetch_all(&mut **write).await? {
            there.insert(found.try_get(0)?);
        }
    }
    let new = |item: &&Item<'_, Event>| !there.contains(&item.what.id.0);
    let new: Vec<&Item<'_, Event>> = events.iter().filter(new).collect();
    for chunk in chunks(&new) {
        let values = vec![format!("({})", places(EVENT_COLUMNS)); chunk.len()].join(", ");
        let insert = format!(
            "INSERT INTO event (id, site, device, camera, kind, camera_time_ms, received_ms, stored_ms, body) VALUES {values}"
        );
        let mut query = sqlx::query(AssertSqlSafe(insert));
        for Item {
            origin, what: event, ..
        } in chunk
        {
            query = query
                .bind(event.id.0)
                .bind(origin.site.as_str())
                .bind(origin.device.as_str())
                .bind(event.camera.as_str())
                .bind(kind(event))
                .bind(event.camera_time_ms)
                .bind(origin.received_ms)
                .bind(stored_ms)
                .bind(row::to_json(event)?);
        }
        query.execute(&mut **write).await?;
    }
    Ok(new.iter().map(|item| item.index).collect())
}

fn places(number: usize) -> String {
    vec!["?"; number].join(", ")
}

/// Pieces of the lengths in [`CHUNKS`], so that few statements are prepared and each of them often used.
fn chunks<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let length = CHUNKS.into_iter().find(|&length| length <= rest.len())?;
        let (chunk, after) = rest.split_at(length);
        rest = after;
        Some(chunk)
    })
}

/// Writes alerts; the places in the batch of those that were not there.
pub(super) async fn put_alerts(
    write: &mut Write<'_>,
    alerts: &[(Item<'_, Alert>, bool)],
    stored_ms: UnixMs,
) -> Result<Vec<usize>, StoreError> {
    let insert =
        "INSERT INTO alert (id, site, device, camera, camera_time_ms, received_ms, stored_ms, live, exercise, body)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8,
                          COALESCE((SELECT exercise FROM list WHERE id = $9), FALSE), $10)
                  ON CONFLICT (id) DO NOTHING";
    let mut new = Vec::new();
    for (item, live) in alerts {
        let (origin, alert) = (item.origin, item.what);
        let done = sqlx::query(insert)
            .bind(alert.id.0)
            .bind(origin.site.as_str())
            .bind(origin.device.as_str())
            .bind(alert.camera.as_str())
            .bind(alert.camera_time_ms)
            .bind(origin.received_ms)
            .bind(stored_ms)
            .bind(live)
            .bind(alert.cause.list().as_str())
            .bind(row::to_json(alert)?)
            .execute(&mut **write)
            .await?;
        new.extend((done.rows_affected() > 0).then_some(item.index));
    }
    Ok(new)
}

/// Writes minutes; the places in the batch of those that told something new.
pub(super) async fn put_minutes(
    write: &mut Write<'_>,
    minutes: &BTreeMap<MinuteKey<'_>, Minute>,
) -> Result<Vec<usize>, StoreError> {
    let upsert = concat!(
        "INSERT INTO count_minute AS old (site, device, camera, line, minute_ms, epoch_ms, boot,
                                                   entered, departed, total_in, total_out, coverage, in_sd, out_sd,
                                                   received_ms)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                  ON CONFLICT (site, device, camera, line, minute_ms, epoch_ms, boot)
                  DO UPDATE SET entered = MAX(old.entered, excluded.entered),
                                departed = MAX(old.departed, excluded.departed),
                                total_in = MAX(old.total_in, excluded.total_in),
                                total_out = MAX(old.total_out, excluded.total_out),
                                coverage = MAX(old.coverage, excluded.coverage),
                                ",
        of_later_telling!("in_sd"),
        ", ",
        of_later_telling!("out_sd"),
        ",
                                received_ms = MAX(old.received_ms, excluded.received_ms)
                  WHERE excluded.entered > old.entered OR excluded.departed > old.departed
                     OR excluded.total_in > old.total_in OR excluded.total_out > old.total_out
                     OR excluded.coverage > old.coverage",
    );
    let mut new = Vec::new();
    for (key, minute) in minutes {
        let done = sqlx::query(upsert)
            .bind(key.site)
            .bind(key.device)
            .bind(key.camera)
            .bind(key.line)
            .bind(key.minute_ms)
            .bind(key.epoch_ms)
            .bind(key.boot)
            .bind(minute.entered)
            .bind(minute.departed)
            .bind(minute.total_in)
            .bind(minute.total_out)
            .bind(minute.coverage)
            .bind(minute.in_sd)
            .bind(minute.out_sd)
            .bind(minute.received_ms)
            .execute(&mut **write)
            .await?;
        new.extend((done.rows_affected() > 0).then_some(minute.index));
    }
    Ok(new)
}

/// Writes pictures; the places in the batch of those that were not there.
pub(super) async fn put_evidence(
    write: &mut Write<'_>,
    evidence: &[Item<'_, EvidenceRow>],
) -> Result<Vec<usize>, StoreError> {
    let insert = "INSERT INTO evidence (alert, site, device, received_ms, file, bytes)
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (alert) DO NOTHING";
    let mut new = Vec::new();
    for item in evidence {
        let done = sqlx::query(insert)
            .bind(item.what.alert.0)
            .bind(item.origin.site.as_str())
            .bind(item.origin.device.as_str())
            .bind(item.origin.received_ms)
            .bind(&item.what.file)
            .bind(item.what.bytes as i64)
            .execute(&mut **write)
            .await?;
        new.extend((done.rows_affected() > 0).then_some(item.index));
    }
    Ok(new)
}

/// Moves days of lines; how they stand now.
pub(super) async fn move_tallies(
    write: &mut Write<'_>,
    moves: &BTreeMap<DayKey<'_>, (i64, i64)>,
) -> Result<Vec<Tally>, StoreError> {
    let upsert = "INSERT INTO tally (site, device, camera, line, day, entered, departed)
                  VALUES ($1, $2, $3, $4, $5, $6, $7)
                  ON CONFLICT (day, site, device, camera, line)
                  DO UPDATE SET entered = tally.entered + excluded.entered,
                                departed = tally.departed + excluded.departed
                  RETURNING entered, departed";
    let mut tallies = Vec::with_capacity(moves.len());
    for (key, (entered, departed)) in moves {
        let found = sqlx::query(upsert)
            .bind(key.site)
            .bind(key.device)
            .bind(key.camera)
            .bind(key.line)
            .bind(key.day.0)
            .bind(entered)
            .bind(departed)
            .fetch_one(&mut **write)
            .await?;
        tallies.push(tally(
            key,
            row::number(&found, "entered")?,
            row::number(&found, "departed")?,
        )?);
    }
    Ok(tallies)
}

/// There are no others: the file belongs to one process.
pub(super) async fn tell_others(
    _write: &mut Write<'_>,
    _teller: Uuid,
    _grouped: &Grouped<'_>,
    _committed: &Committed,
) -> Result<(), StoreError> {
    Ok(())
}
