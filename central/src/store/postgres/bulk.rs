//! Many rows at once, the way of PostgreSQL: no round trip a row. Events, which are most of all, are looked up by id and
//! then copied; the rest comes as arrays. Two processes that copy the same event at the same moment: the second one's
//! transaction fails as a whole, is tried again and finds the row there.

use super::minute::of_later_telling;
use super::news::{self, CHANNEL};
use super::{Write, row, tally};
use crate::domain::LocalDay;
use crate::store::group::{DayKey, Grouped, Item, Minute, MinuteKey, kind};
use crate::store::{Committed, EvidenceRow, StoreError, Tally};
use sqlx::Row;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;
use vong_wire::{Alert, Event, UnixMs};

/// Writes events; the places in the batch of those that were not there.
pub(super) async fn put_events(
    write: &mut Write<'_>,
    events: &[Item<'_, Event>],
    stored_ms: UnixMs,
) -> Result<Vec<usize>, StoreError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(vec![]);
    };
    let ids: Vec<Uuid> = events.iter().map(|item| item.what.id.0).collect();
    // The bounds name the partitions; the array alone does not.
    let there: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM event WHERE id = ANY($1) AND id BETWEEN $2 AND $3")
        .bind(ids)
        .bind(first.what.id.0)
        .bind(last.what.id.0)
        .fetch_all(&mut **write)
        .await?;
    let there: HashSet<Uuid> = there.into_iter().collect();
    let new: Vec<&Item<'_, Event>> = events.iter().filter(|item| !there.contains(&item.what.id.0)).collect();
    if !new.is_empty() {
        let rows = copied(&new, stored_ms)?;
        let mut copy = write.copy_in_raw(COPY_EVENTS).await?;
        copy.send(rows).await?;
        copy.finish().await?;
    }
    Ok(new.iter().map(|item| item.index).collect())
}

const COPY_EVENTS: &str = "COPY event (id, site, device, camera, kind, camera_time_ms, received_ms, stored_ms, body)
                           FROM STDIN (FORMAT binary)";

/// Rows in PostgreSQL's binary form of COPY: a head, each row with the number and the lengths of its fields, an end.
fn copied(events: &[&Item<'_, Event>], stored_ms: UnixMs) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(32 + events.len() * 640);
    bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for Item {
        origin, what: event, ..
    } in events
    {
        bytes.extend_from_slice(&9_i16.to_be_bytes());
        field(&mut bytes, event.id.0.as_bytes());
        for text in [
            origin.site.as_str(),
            origin.device.as_str(),
            event.camera.as_str(),
            kind(event),
        ] {
            field(&mut bytes, text.as_bytes());
        }
        for number in [event.camera_time_ms, origin.received_ms, stored_ms] {
            field(&mut bytes, &number.to_be_bytes());
        }
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        serde_json::to_writer(&mut bytes, event).map_err(|cause| StoreError::Refused(cause.into()))?;
        let length = (bytes.len() - at - 4) as i32;
        bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    Ok(bytes)
}

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as i32).to_be_bytes());
    bytes.extend_from_slice(value);
}

/// Writes alerts; the places in the batch of those that were not there.
pub(super) async fn put_alerts(
    write: &mut Write<'_>,
    alerts: &[(Item<'_, Alert>, bool)],
    stored_ms: UnixMs,
) -> Result<Vec<usize>, StoreError> {
    if alerts.is_empty() {
        return Ok(vec![]);
    }
    let insert =
        "INSERT INTO alert (id, site, device, camera, camera_time_ms, received_ms, stored_ms, live, exercise, body)
                  SELECT come.id, site, device, camera, camera_time_ms, received_ms, $7, live,
                         COALESCE(list.exercise, FALSE), body
                  FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $8::bool[],
                              $9::text[], $10::text[])
                       AS come (id, site, device, camera, camera_time_ms, received_ms, live, list, body)
                  LEFT JOIN list ON list.id = come.list
                  ORDER BY come.id
                  ON CONFLICT (id) DO NOTHING RETURNING id";
    let column = |of: fn(&Item<'_, Alert>) -> String| alerts.iter().map(|(item, _)| of(item)).collect::<Vec<_>>();
    let number = |of: fn(&Item<'_, Alert>) -> i64| alerts.iter().map(|(item, _)| of(item)).collect::<Vec<_>>();
    let bodies: Result<Vec<String>, StoreError> = alerts.iter().map(|(item, _)| row::to_json(item.what)).collect();
    let ids: Vec<Uuid> = alerts.iter().map(|(item, _)| item.what.id.0).collect();
    let inserted: Vec<Uuid> = sqlx::query_scalar(insert)
        .bind(ids)
        .bind(column(|item| item.origin.site.to_string()))
        .bind(column(|item| item.origin.device.to_string()))
        .bind(column(|item| item.what.camera.to_string()))
        .bind(number(|item| item.what.camera_time_ms))
        .bind(number(|item| item.origin.received_ms))
        .bind(stored_ms)
        .bind(alerts.iter().map(|(_, live)| *live).collect::<Vec<_>>())
        .bind(column(|item| item.what.cause.list().to_string()))
        .bind(bodies?)
        .fetch_all(&mut **write)
        .await?;
    let by_id: HashMap<Uuid, usize> = alerts.iter().map(|(item, _)| (item.what.id.0, item.index)).collect();
    Ok(inserted.iter().filter_map(|id| by_id.get(id)).copied().collect())
}

/// Writes minutes; the places in the batch of those that told something new.
pub(super) async fn put_minutes(
    write: &mut Write<'_>,
    minutes: &BTreeMap<MinuteKey<'_>, Minute>,
) -> Result<Vec<usize>, StoreError> {
    if minutes.is_empty() {
        return Ok(vec![]);
    }
    let upsert = concat!(
        "INSERT INTO count_minute AS old (minute_ms, site, device, camera, line, epoch_ms, boot, entered,
                                                   departed, total_in, total_out, coverage, in_sd, out_sd,
                                                   received_ms)
                  SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                                       $7::uuid[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                                       $12::float8[], $13::float8[], $14::float8[], $15::bigint[])
                  ON CONFLICT (minute_ms, site, device, camera, line, epoch_ms, boot)
                  DO UPDATE SET entered = GREATEST(old.entered, excluded.entered),
                                departed = GREATEST(old.departed, excluded.departed),
                                total_in = GREATEST(old.total_in, excluded.total_in),
                                total_out = GREATEST(old.total_out, excluded.total_out),
                                coverage = GREATEST(old.coverage, excluded.coverage),
                                ",
        of_later_telling!("in_sd"),
        ", ",
        of_later_telling!("out_sd"),
        ",
                                received_ms = GREATEST(old.received_ms, excluded.received_ms)
                  WHERE excluded.entered > old.entered OR excluded.departed > old.departed
                     OR excluded.total_in > old.total_in OR excluded.total_out > old.total_out
                     OR excluded.coverage > old.coverage
                  RETURNING minute_ms, site, device, camera, line, epoch_ms, boot",
    );
    let text = |of: fn(&MinuteKey<'_>) -> String| minutes.keys().map(of).collect::<Vec<_>>();
    let number = |of: fn(&Minute) -> i64| minutes.values().map(of).collect::<Vec<_>>();
    let changed = sqlx::query(upsert)
        .bind(minutes.keys().map(|key| key.minute_ms).collect::<Vec<_>>())
        .bind(text(|key| key.site.into()))
        .bind(text(|key| key.device.into()))
        .bind(text(|key| key.camera.into()))
        .bind(text(|key| key.line.into()))
        .bind(minutes.keys().map(|key| key.epoch_ms).collect::<Vec<_>>())
        .bind(minutes.keys().map(|key| key.boot).collect::<Vec<_>>())
        .bind(number(|minute| minute.entered))
        .bind(number(|minute| minute.departed))
        .bind(number(|minute| minute.total_in))
        .bind(number(|minute| minute.total_out))
        .bind(minutes.values().map(|minute| minute.coverage).collect::<Vec<_>>())
        .bind(minutes.values().map(|minute| minute.in_sd).collect::<Vec<_>>())
        .bind(minutes.values().map(|minute| minute.out_sd).collect::<Vec<_>>())
        .bind(number(|minute| minute.received_ms))
        .fetch_all(&mut **write)
        .await?;
    let mut new = Vec::with_capacity(changed.len());
    for found in &changed {
        let key = MinuteKey {
            minute_ms: row::get(found, "minute_ms")?,
            site: found.try_get("site")?,
            device: found.try_get("device")?,
            camera: found.try_get("camera")?,
            line: found.try_get("line")?,
            epoch_ms: row::get(found, "epoch_ms")?,
            boot: row::get(found, "boot")?,
        };
        new.extend(minutes.get(&key).map(|minute| minute.index));
    }
    Ok(new)
}

/// Writes pictures; the places in the batch of those that were not there.
pub(super) async fn put_evidence(
    write: &mut Write<'_>,
    evidence: &[Item<'_, EvidenceRow>],
) -> Result<Vec<usize>, StoreError> {
    if evidence.is_empty() {
        return Ok(vec![]);
    }
    let insert = "INSERT INTO evidence (alert, site, device, received_ms, file, bytes)
                  SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[])
                  ON CONFLICT (alert) DO NOTHING RETURNING alert";
    let text = |of: fn(&Item<'_, EvidenceRow>) -> String| evidence.iter().map(of).collect::<Vec<_>>();
    let number = |of: fn(&Item<'_, EvidenceRow>) -> i64| evidence.iter().map(of).collect::<Vec<_>>();
    let inserted: Vec<Uuid> = sqlx::query_scalar(insert)
        .bind(evidence.iter().map(|item| item.what.alert.0).collect::<Vec<_>>())
        .bind(text(|item| item.origin.site.to_string()))
        .bind(text(|item| item.origin.device.to_string()))
        .bind(number(|item| item.origin.received_ms))
        .bind(text(|item| item.what.file.clone()))
        .bind(number(|item| item.what.bytes as i64))
        .fetch_all(&mut **write)
        .await?;
    let by_id: HashMap<Uuid, usize> = evidence.iter().map(|item| (item.what.alert.0, item.index)).collect();
    Ok(inserted.iter().filter_map(|id| by_id.get(id)).copied().collect())
}

/// Moves days of lines; how they stand now. In the order of the key, so that processes never wait in a ring.
pub(super) async fn move_tallies(
    write: &mut Write<'_>,
    moves: &BTreeMap<DayKey<'_>, (i64, i64)>,
) -> Result<Vec<Tally>, StoreError> {
    if moves.is_empty() {
        return Ok(vec![]);
    }
    let upsert = "INSERT INTO tally (day, site, device, camera, line, entered, departed)
                  SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[],
                                       $7::bigint[])
                  ON CONFLICT (day, site, device, camera, line)
                  DO UPDATE SET entered = tally.entered + excluded.entered,
                                departed = tally.departed + excluded.departed
                  RETURNING day, site, device, camera, line, entered, departed";
    let text = |of: fn(&DayKey<'_>) -> String| moves.keys().map(of).collect::<Vec<_>>();
    let moved = sqlx::query(upsert)
        .bind(moves.keys().map(|key| key.day.0).collect::<Vec<_>>())
        .bind(text(|key| key.site.into()))
        .bind(text(|key| key.device.into()))
        .bind(text(|key| key.camera.into()))
        .bind(text(|key| key.line.into()))
        .bind(moves.values().map(|(entered, _)| *entered).collect::<Vec<_>>())
        .bind(moves.values().map(|(_, departed)| *departed).collect::<Vec<_>>())
        .fetch_all(&mut **write)
        .await?;
    let mut tallies = Vec::with_capacity(moved.len());
    for found in &moved {
        let key = DayKey {
            day: LocalDay(row::get(found, "day")?),
            site: found.try_get("site")?,
            device: found.try_get("device")?,
            camera: found.try_get("camera")?,
            line: found.try_get("line")?,
        };
        tallies.push(tally(
            &key,
            row::number(found, "entered")?,
            row::number(found, "departed")?,
        )?);
    }
    Ok(tallies)
}

/// Tells the other processes on this database, if and when this transaction is committed.
pub(super) async fn tell_others(
    write: &mut Write<'_>,
    teller: Uuid,
    grouped: &Grouped<'_>,
    committed: &Committed,
) -> Result<(), StoreError> {
    let told = news::of(teller, grouped, committed);
    if told.is_empty() {
        return Ok(());
    }
    sqlx::query("SELECT pg_notify($1, text) FROM UNNEST($2::text[]) AS come (text)")
        .bind(CHANNEL)
        .bind(told)
        .execute(&mut **write)
        .await?;
    Ok(())
}
