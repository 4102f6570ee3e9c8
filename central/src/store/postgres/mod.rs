//! The store of a province: PostgreSQL, which any number of offices write to at once. A commit survives the loss of power
//! (`synchronous_commit` is on by default and not touched). Events, alerts and minutes lie in partitions by day.

mod bulk;
#[path = "../shared/commit.rs"]
mod commit;
#[path = "../shared/directory.rs"]
mod directory;
#[path = "../shared/lists.rs"]
mod lists;
#[path = "../shared/minute.rs"]
mod minute;
mod news;
#[path = "../shared/read.rs"]
mod read;
#[path = "../shared/row.rs"]
mod row;
#[path = "../shared/seam.rs"]
mod seam;

use super::fault::is_race;
use super::group::Grouped;
use super::{Batch, Committed, StoreError};
use crate::domain::{LocalDay, now_ms};
use commit::{Places, settle, tally};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use std::collections::{BTreeSet, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const CONNECTIONS: u32 = 8;
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// Days that get partitions: from so long ago until the day after tomorrow. Beyond them a device's clock is wrong.
const OLDEST_DAYS: i64 = 60;
const NEWEST_DAYS: i64 = 2;
/// A batch that another process got in the way of is tried again so often before the caller waits.
const ATTEMPTS: usize = 5;

// What the shared modules are written against.
use self::PostgresStore as ThisStore;
type Db = Postgres;
type DbConnection = PgConnection;
type DbRow = sqlx::postgres::PgRow;
type Write<'t> = Transaction<'t, Postgres>;

/// A store in a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    writer: PgPool,
    readers: PgPool,
    places: Arc<Places>,
    /// Names this process among those that tell each other of their commits.
    teller: Uuid,
    /// Days whose partitions are there.
    days: Arc<Mutex<HashSet<i64>>>,
}

impl PostgresStore {
    /// Connects and brings the tables up to date; several processes may do so at once.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|cause| StoreError::Address(cause.to_string().replace(url, "the address")))?
            .application_name("vong-central")
            // A process that stops in the middle must not hold the others up for ever.
            .options([
                ("statement_timeout", "60s"),
                ("lock_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "60s"),
            ]);
        let place = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or("")
        );
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::Server {
            place: place.clone(),
            cause,
        };
        // A pool would try a server that refuses again and again until its time is over.
        let trial = PgConnection::connect_with(&options).await;
        let trial = trial.map_err(|cause| failed(cause.into()))?;
        trial.close().await.map_err(|cause| failed(cause.into()))?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECTS_WITHIN)
            .connect_with(options)
            .await
            .map_err(|cause| failed(cause.into()))?;
        MIGRATIONS.run(&pool).await.map_err(|cause| failed(cause.into()))?;
        Ok(Self {
            writer: pool.clone(),
            readers: pool,
            places: Arc::default(),
            teller: Uuid::now_v7(),
            days: Arc::default(),
        })
    }

    async fn commit_batch(&self, batch: &Batch) -> Result<Committed, StoreError> {
        let grouped = Grouped::of(batch);
        self.make_days(&grouped).await?;
        for _ in 1..ATTEMPTS {
            match self.commit_once(&grouped, batch.stored_ms).await {
                Err(error) if is_race(&error) => tracing::debug!(%error, "another process was in the way"),
                done => return done,
            }
        }
        self.commit_once(&grouped, batch.stored_ms).await
    }

    /// Makes the partitions that a batch needs, outside its transaction: it holds them up for no longer than that takes.
    async fn make_days(&self, grouped: &Grouped<'_>) -> Result<(), StoreError> {
        let made_ms = |id: Uuid| {
            id.get_timestamp()
                .map(|time| (time.to_unix().0 as i64).saturating_mul(1_000))
        };
        let events = grouped.events.iter().filter_map(|item| made_ms(item.what.id.0));
        let alerts = grouped.alerts.iter().filter_map(|(item, _)| made_ms(item.what.id.0));
        let minutes = grouped.minutes.keys().map(|key| key.minute_ms);
        let today = LocalDay::of(now_ms()).0;
        let wanted: BTreeSet<i64> = events
            .chain(alerts)
            .chain(minutes)
            .map(|at_ms| LocalDay::of(at_ms).0)
            .collect();
        let window = today - OLDEST_DAYS..=today + NEWEST_DAYS;
        for day in wanted.into_iter().filter(|day| window.contains(day)) {
            let known = |days: &HashSet<i64>| days.contains(&day);
            if known(&self.days.lock().unwrap_or_else(PoisonError::into_inner)) {
                continue;
            }
            sqlx::query("SELECT make_day($1)")
                .bind(day)
                .execute(&self.writer)
                .await?;
            self.days.lock().unwrap_or_else(PoisonError::into_inner).insert(day);
        }
        Ok(())
    }
}

/// Begins to write rows that others may write too.
async fn begin_write(connection: &mut PgConnection) -> Result<Write<'_>, StoreError> {
    Ok(connection.begin().await?)
}

/// Begins to read and write what only one process at a time may: seeds, strangers, the version of the watchlists.
async fn begin_alone(connection: &mut PgConnection) -> Result<Write<'_>, StoreError> {
    let mut write = connection.begin().await?;
    // "vong" and "lone".
    sqlx::query("SELECT pg_advisory_xact_lock(x'766f6e67'::INT, x'6c6f6e65'::INT)")
        .execute(&mut *write)
        .await?;
    Ok(write)
}

/// Begins to read several tables as they stand at one moment.
async fn begin_steady(pool: &PgPool) -> Result<Write<'static>, StoreError> {
    Ok(pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?)
}

#[cfg(test)]
mod tests;
