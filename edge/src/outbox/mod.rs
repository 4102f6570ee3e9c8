//! The outbox: what the edge decided and central has not yet committed. Invariant: what [`Outbox::append`] returned
//! for is on the disk, and it is forgotten only by [`Outbox::acknowledge`] or, counted, when the outbox is full. It does
//! not know how messages are sent.
//!
//! SQLite in WAL mode with `synchronous = FULL`: an append survives the loss of power, not only of the process.

mod bound;
mod schema;

use bound::Lane;
use schema::MIGRATION;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Row, Sqlite, SqliteConnection, Transaction};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Notify;
use vong_wire::{AckItem, Alert, CameraId, Count, Direction, Event, EventBody, EventId, LineId, OutboxHealth, UnixMs};

/// What an outbox may hold where the configuration does not say: half a gibibyte.
pub const DEFAULT_LIMIT_BYTES: u64 = 512 << 20;

/// A message before it has its number.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    /// An event; its `seq` and `sent_ms` are filled in later.
    Event(Event),
    /// An alert, likewise.
    Alert(Alert),
    /// The picture of an alert, JPEG.
    Evidence {
        /// The alert.
        alert: EventId,
        /// The picture.
        jpeg: Vec<u8>,
    },
    /// A minute of a line; totals and epoch are filled in from the outbox's own.
    Count(Count),
}

/// A message with its number, waiting to be sent or acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its number: rising by one, never used twice.
    pub seq: u64,
    /// What it is, with `seq` filled in.
    pub draft: Draft,
}

/// Running totals of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// When they began at nought.
    pub epoch_ms: UnixMs,
    /// Inward.
    pub entered: u64,
    /// Outward.
    pub left: u64,
}

/// Why the outbox failed.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The folder cannot be made.
    #[error("cannot make the data folder `{path}`: {cause}; check [device] data and the rights on it")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file cannot be opened or is no outbox.
    #[error("cannot open the outbox `{path}`: {cause}; check that the disk is there, writable and not full")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: sqlx::Error,
    },
    /// Reading or writing failed.
    #[error("the outbox failed: {0}; check that the disk is writable and not full")]
    Store(#[from] sqlx::Error),
    /// A message cannot be put into or taken out of JSON.
    #[error("a message of the outbox cannot be coded")]
    Coding(#[from] serde_json::Error),
}

/// The outbox of a device.
#[derive(Debug)]
pub struct Outbox {
    /// Appends: a commit is on the disk.
    pool: SqlitePool,
    /// Reads and forgets, beside the appends: cameras do not wait for the link. What is forgotten need not survive a loss of
    /// power, for what comes again is known to central; so it costs no flush.
    courier: SqlitePool,
    limit_bytes: u64,
    appended: Notify,
    drained: Notify,
}

impl Outbox {
    /// Opens the outbox of a data folder, and makes it where there is none. What it holds takes `limit_bytes` at most.
    /// Minutes that were open when the device lost its power are told now.
    pub async fn open(folder: &Path, limit_bytes: u64) -> Result<Self, OutboxError> {
        std::fs::create_dir_all(folder).map_err(|cause| OutboxError::Folder {
            path: folder.to_path_buf(),
            cause,
        })?;
        let path = folder.join("outbox.sqlite");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let open = |cause| OutboxError::Open {
            path: path.clone(),
            cause,
        };
        // One connection: appends are ordered by it, and SQLite has one writer anyway.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(open)?;
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(open)?;
        sqlx::raw_sql(MIGRATION)
            .execute(&mut *transaction)
            .await
            .map_err(open)?;
        bound::mend_minutes(&mut transaction).await?;
        bound::keep_limit(&mut transaction, limit_bytes).await?;
        transaction.commit().await.map_err(open)?;
        let courier = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.synchronous(SqliteSynchronous::Normal))
            .await
            .map_err(open)?;
        Ok(Self {
            pool,
            courier,
            limit_bytes,
            appended: Notify::new(),
            drained: Notify::new(),
        })
    }

    /// Puts messages in, all or none. Returns when they are on the disk. Crossings move their line's totals.
    pub async fn append(&self, drafts: Vec<Draft>) -> Result<(), OutboxError> {
        if drafts.is_empty() {
            return Ok(());
        }
        let mut connection = self.pool.acquire().await?;
        let done = append_in(&mut connection, drafts, self.limit_bytes).await;
        let gone = settle(connection, done)?;
        if gone > 0 {
            tracing::debug!(gone, "the outbox is full; the least worthy messages were given up");
        }
        self.appended.notify_one();
        Ok(())
    }

    /// The next messages to send, alerts first, without those in flight.
    pub async fn due(&self, in_flight: &HashSet<u64>, limit: usize) -> Result<Vec<Pending>, OutboxError> {
        self.due_up_to(Lane::Count, in_flight, limit).await
    }

    /// The next alerts to send, without those in flight.
    pub async fn due_alerts(&self, in_flight: &HashSet<u64>, limit: usize) -> Result<Vec<Pending>, OutboxError> {
        self.due_up_to(Lane::Alert, in_flight, limit).await
    }

    async fn due_up_to(&self, last: Lane, in_flight: &HashSet<u64>, limit: usize) -> Result<Vec<Pending>, OutboxError> {
        let due = "SELECT seq, kind, id, body FROM message
                   WHERE lane <= ? AND seq NOT IN (SELECT value FROM json_each(?)) ORDER BY lane, seq LIMIT ?";
        let rows = sqlx::query(due)
            .bind(last as i64)
            .bind(serde_json::to_string(in_flight)?)
            .bind(limit as i64)
            .fetch_all(&self.courier)
            .await?;
        let mut pending = Vec::with_capacity(rows.len());
        for row in rows {
            let seq = row.try_get::<i64, _>("seq")? as u64;
            let body: Vec<u8> = row.try_get("body")?;
            let draft = match row.try_get::<&str, _>("kind")? {
                "alert" => Draft::Alert(Alert {
                    seq,
                    ..serde_json::from_slice(&body)?
                }),
                "evidence" => Draft::Evidence {
                    alert: EventId(row.try_get("id")?),
                    jpeg: body,
                },
                "event" => Draft::Event(Event {
                    seq,
                    ..serde_json::from_slice(&body)?
                }),
                _ => Draft::Count(Count {
                    seq,
                    ..serde_json::from_slice(&body)?
                }),
            };
            pending.push(Pending { seq, draft });
        }
        Ok(pending)
    }

    /// Forgets what central has committed. An item whose id is not that of the message is left alone.
    pub async fn acknowledge(&self, items: &[AckItem]) -> Result<(), OutboxError> {
        let told: Vec<(u64, String)> = items
            .iter()
            .map(|item| {
                (
                    item.seq,
                    item.id.map_or_else(String::new, |id| format!("{:X}", id.0.simple())),
                )
            })
            .collect();
        let forget = "DELETE FROM message WHERE seq IN
                      (SELECT message.seq FROM json_each(?) AS told JOIN message ON message.seq = told.value ->> 0
                       WHERE hex(message.id) = told.value ->> 1)";
        sqlx::query(forget)
            .bind(serde_json::to_string(&told)?)
            .execute(&self.courier)
            .await?;
        if self.is_empty().await? {
            self.drained.notify_waiters();
        }
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool, OutboxError> {
        let holds: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM message)")
            .fetch_one(&self.courier)
            .await?;
        Ok(!holds)
    }

    /// Messages that are not acknowledged.
    pub async fn depth(&self) -> Result<u64, OutboxError> {
        let depth: i64 = sqlx::query_scalar("SELECT count(*) FROM message")
            .fetch_one(&self.courier)
            .await?;
        Ok(depth as u64)
    }

    /// What it holds and what it gave up, for the health message.
    pub async fn health(&self) -> Result<OutboxHealth, OutboxError> {
        bound::health(&mut *self.courier.acquire().await?, self.limit_bytes).await
    }

    /// Running totals of a line; `now_ms` begins their epoch where there are none yet.
    pub async fn totals(&self, camera: &CameraId, line: &LineId, now_ms: UnixMs) -> Result<Totals, OutboxError> {
        let mut connection = self.pool.acquire().await?;
        let done = totals_in(&mut connection, camera, line, now_ms).await;
        settle(connection, done)
    }

    /// Waits until something was appended.
    pub async fn appended(&self) {
        self.appended.notified().await;
    }

    /// Waits until everything is acknowledged.
    pub async fn drained(&self) -> Result<(), OutboxError> {
        loop {
            let notified = self.drained.notified();
            tokio::pin!(notified);
            // Listening before looking, so that an acknowledgement in between is not missed.
            notified.as_mut().enable();
            if self.is_empty().await? {
                return Ok(());
            }
            notified.await;
        }
    }

    /// Closes the file; what is in it stays.
    pub async fn close(&self) {
        self.courier.close().await;
        self.pool.close().await;
    }
}

/// Gives a writing connection back. After a failure it is closed instead and the next writer gets a fresh one: SQLite rolls
/// back by itself when the disk is full, sqlx 0.9 does not notice, and every later BEGIN on it would be refused.
fn settle<T>(mut connection: PoolConnection<Sqlite>, done: Result<T, OutboxError>) -> Result<T, OutboxError> {
    if done.is_err() {
        connection.close_on_drop();
    }
    done
}

async fn append_in(write: &mut SqliteConnection, drafts: Vec<Draft>, limit_bytes: u64) -> Result<u64, OutboxError> {
    let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
    for draft in drafts {
        insert(&mut transaction, draft).await?;
    }
    let gone = bound::keep_limit(&mut transaction, limit_bytes).await?;
    transaction.commit().await?;
    Ok(gone)
}

async fn totals_in(
    write: &mut SqliteConnection,
    camera: &CameraId,
    line: &LineId,
    now_ms: UnixMs,
) -> Result<Totals, OutboxError> {
    let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
    let totals = move_totals(&mut transaction, camera, line, now_ms, 0, 0).await?;
    transaction.commit().await?;
    Ok(totals)
}

async fn insert(transaction: &mut Transaction<'_, Sqlite>, draft: Draft) -> Result<(), OutboxError> {
    let (lane, kind, id, body) = match draft {
        Draft::Alert(alert) => (Lane::Alert, "alert", Some(alert.id), serde_json::to_vec(&alert)?),
        Draft::Evidence { alert, jpeg } => (Lane::Evidence, "evidence", Some(alert), jpeg),
        Draft::Event(event) => {
            let mut lane = Lane::Event;
            if let EventBody::Crossing(crossing) = &event.body {
                lane = Lane::Crossing;
                let (entered, left) = match crossing.direction {
                    Direction::In => (1, 0),
                    Direction::Out => (0, 1),
                };
                move_totals(
                    transaction,
                    &event.camera,
                    &crossing.line,
                    event.camera_time_ms,
                    entered,
                    left,
                )
                .await?;
                let place = (&event.camera, &crossing.line, event.boot);
                bound::cross(transaction, place, event.camera_time_ms, crossing.direction).await?;
            }
            (lane, "event", Some(event.id), serde_json::to_vec(&event)?)
        }
        Draft::Count(mut count) => {
            let totals = move_totals(transaction, &count.camera, &count.line, count.minute_ms, 0, 0).await?;
            (count.epoch_ms, count.total_in, count.total_out) = (totals.epoch_ms, totals.entered, totals.left);
            bound::close_minute(transaction, &count).await?;
            (Lane::Count, "count", None, serde_json::to_vec(&count)?)
        }
    };
    sqlx::query("INSERT INTO message (lane, kind, id, body) VALUES (?, ?, ?, ?)")
        .bind(lane as i64)
        .bind(kind)
        .bind(id.map(|id| id.0))
        .bind(body)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn move_totals(
    transaction: &mut Transaction<'_, Sqlite>,
    camera: &CameraId,
    line: &LineId,
    now_ms: UnixMs,
    entered: i64,
    left: i64,
) -> Result<Totals, OutboxError> {
    let row = sqlx::query(
        "INSERT INTO total (camera, line, epoch_ms, entered, left_) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (camera, line) DO UPDATE SET entered = entered + excluded.entered, left_ = left_ + excluded.left_
         RETURNING epoch_ms, entered, left_",
    )
    .bind(camera.as_str())
    .bind(line.as_str())
    .bind(now_ms)
    .bind(entered)
    .bind(left)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(Totals {
        epoch_ms: row.try_get("epoch_ms")?,
        entered: row.try_get::<i64, _>("entered")? as u64,
        left: row.try_get::<i64, _>("left_")? as u64,
    })
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
