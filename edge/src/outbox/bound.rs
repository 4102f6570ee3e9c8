//! What happens when the outbox is full. Invariant: after every append it holds no more than its limit; what had to go
//! went in the order of [`Lane::GIVEN_UP`], the oldest first, in the same transaction, and was counted. Of a crossing only
//! the detail goes: its minute's count and its line's totals hold it since it was appended.

use super::schema::OVERHEAD_BYTES;
use super::{OutboxError, insert};
use crate::outbox::Draft;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;
use vong_wire::{BootId, CameraId, Count, Direction, LineId, OutboxHealth, UnixMs};

const MINUTE_MS: UnixMs = 60_000;
/// Messages given up in one statement.
const AT_ONCE: u64 = 64;

/// Kinds of messages in the order in which they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(super) enum Lane {
    Alert = 0,
    Evidence = 1,
    /// Recognitions and plates.
    Event = 2,
    Crossing = 3,
    Count = 4,
}

impl Lane {
    /// The order in which they are given up.
    const GIVEN_UP: [Self; 5] = [Self::Evidence, Self::Crossing, Self::Event, Self::Count, Self::Alert];
}

/// Gives up the least worthy until the limit is kept; how many messages went.
pub(super) async fn keep_limit(write: &mut Transaction<'_, Sqlite>, limit_bytes: u64) -> Result<u64, OutboxError> {
    let mut gone = 0;
    for lane in Lane::GIVEN_UP {
        loop {
            let over = bytes(write).await?.saturating_sub(limit_bytes);
            if over == 0 {
                return Ok(gone);
            }
            // Never more than needed: at least one, and as many small ones as certainly must go.
            let oldest: i64 = sqlx::query_scalar(
                "SELECT coalesce(max(length(body)), 0) FROM (SELECT body FROM message WHERE lane = ? ORDER BY seq LIMIT ?)",
            )
            .bind(lane as i64)
            .bind(AT_ONCE as i64)
            .fetch_one(&mut **write)
            .await?;
            let number = (over / (oldest as u64 + OVERHEAD_BYTES)).clamp(1, AT_ONCE);
            let went = sqlx::query(
                "DELETE FROM message WHERE seq IN (SELECT seq FROM message WHERE lane = ? ORDER BY seq LIMIT ?)",
            )
            .bind(lane as i64)
            .bind(number as i64)
            .execute(&mut **write)
            .await?
            .rows_affected();
            if went == 0 {
                break;
            }
            gone += went;
            sqlx::query(
                "INSERT INTO fold (lane, times) VALUES (?, ?)
                 ON CONFLICT (lane) DO UPDATE SET times = times + excluded.times",
            )
            .bind(lane as i64)
            .bind(went as i64)
            .execute(&mut **write)
            .await?;
        }
    }
    Ok(gone)
}

async fn bytes(read: &mut SqliteConnection) -> Result<u64, OutboxError> {
    let bytes: i64 = sqlx::query_scalar("SELECT bytes FROM stock").fetch_one(read).await?;
    Ok(bytes.max(0) as u64)
}

/// What is held and what was given up.
pub(super) async fn health(read: &mut SqliteConnection, limit_bytes: u64) -> Result<OutboxHealth, OutboxError> {
    let mut health = OutboxHealth {
        bytes: bytes(read).await?,
        limit_bytes,
        ..OutboxHealth::default()
    };
    for row in sqlx::query("SELECT lane, times FROM fold").fetch_all(read).await? {
        let times = row.try_get::<i64, _>("times")? as u64;
        let lane: i64 = row.try_get("lane")?;
        let figure = match Lane::GIVEN_UP.into_iter().find(|known| *known as i64 == lane) {
            Some(Lane::Alert) => &mut health.alerts_dropped,
            Some(Lane::Evidence) => &mut health.evidence_dropped,
            Some(Lane::Event) => &mut health.events_dropped,
            Some(Lane::Crossing) => &mut health.crossings_folded,
            Some(Lane::Count) => &mut health.counts_folded,
            None => continue,
        };
        *figure = times;
    }
    Ok(health)
}

/// Notes a crossing in its minute, until that minute's count comes.
pub(super) async fn cross(
    write: &mut Transaction<'_, Sqlite>,
    (camera, line, boot): (&CameraId, &LineId, BootId),
    at_ms: UnixMs,
    direction: Direction,
) -> Result<(), OutboxError> {
    let told: Option<UnixMs> =
        sqlx::query_scalar("SELECT minute_ms FROM told_minute WHERE camera = ? AND line = ? AND boot = ?")
            .bind(camera.as_str())
            .bind(line.as_str())
            .bind(boot.0)
            .fetch_optional(&mut **write)
            .await?;
    let minute_ms = at_ms.div_euclid(MINUTE_MS) * MINUTE_MS;
    sqlx::query(
        "INSERT INTO open_minute (camera, line, minute_ms, boot, entered, left_) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (camera, line, minute_ms, boot)
         DO UPDATE SET entered = entered + excluded.entered, left_ = left_ + excluded.left_",
    )
    .bind(camera.as_str())
    .bind(line.as_str())
    .bind(told.map_or(minute_ms, |told| minute_ms.max(told + MINUTE_MS)))
    .bind(boot.0)
    .bind(i64::from(direction == Direction::In))
    .bind(i64::from(direction == Direction::Out))
    .execute(&mut **write)
    .await?;
    Ok(())
}

/// A minute's count is made: all its line's crossings up to now are in it.
pub(super) async fn close_minute(write: &mut Transaction<'_, Sqlite>, count: &Count) -> Result<(), OutboxError> {
    sqlx::query("DELETE FROM open_minute WHERE camera = ? AND line = ? AND boot = ?")
        .bind(count.camera.as_str())
        .bind(count.line.as_str())
        .bind(count.boot.0)
        .execute(&mut **write)
        .await?;
    sqlx::query("INSERT OR REPLACE INTO told_minute (camera, line, minute_ms, boot) VALUES (?, ?, ?, ?)")
        .bind(count.camera.as_str())
        .bind(count.line.as_str())
        .bind(count.minute_ms)
        .bind(count.boot.0)
        .execute(&mut **write)
        .await?;
    Ok(())
}

/// Makes the counts of minutes that a power cut ended. Of their coverage nothing is known: nought.
pub(super) async fn mend_minutes(write: &mut Transaction<'_, Sqlite>) -> Result<(), OutboxError> {
    let rows = sqlx::query("SELECT * FROM open_minute ORDER BY minute_ms, camera, line")
        .fetch_all(&mut **write)
        .await?;
    for row in rows {
        let camera = CameraId::new(row.try_get::<&str, _>("camera")?);
        let line = LineId::new(row.try_get::<&str, _>("line")?);
        let (Ok(camera), Ok(line)) = (camera, line) else {
            continue;
        };
        let count = Count {
            seq: 0,
            boot: BootId(row.try_get::<Uuid, _>("boot")?),
            camera,
            line,
            minute_ms: row.try_get("minute_ms")?,
            entered: row.try_get("entered")?,
            left: row.try_get("left_")?,
            epoch_ms: 0,
            total_in: 0,
            total_out: 0,
            coverage: 0.0,
            in_sd: None,
            out_sd: None,
            sent_ms: 0,
        };
        insert(write, Draft::Count(count)).await?;
    }
    Ok(())
}
