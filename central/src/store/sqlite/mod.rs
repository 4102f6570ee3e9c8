//! The store on one machine: SQLite in WAL mode with `synchronous = FULL`, so that a commit survives the loss of power.
//! One connection writes, because SQLite has one writer anyway and waits in the pool are fair; a few others read.

mod commit;
mod directory;
mod lists;
mod read;
mod row;

use super::{
    AccessRow, AlertRow, Answer, Batch, CameraMinutes, Committed, CountRow, DeviceRow, EventRow, EvidenceRow, Origin,
    Page, PhotographRow, QuarantineRow, Seeds, Stats, Store, StoreError, Tally,
};
use crate::domain::{Directory, LocalDay, Names, Role};
use futures::future::BoxFuture;
use sqlx::Sqlite;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;
use vong_wire::{EventId, SiteId, UnixMs};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const READERS: u32 = 4;

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens a file, makes it and its folder where they are missing, and brings its tables up to date.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|cause| StoreError::Folder {
            path: folder.to_path_buf(),
            cause,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::Open {
            path: path.to_path_buf(),
            cause,
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await;
        let writer = writer.map_err(|cause| failed(cause.into()))?;
        MIGRATIONS.run(&writer).await.map_err(|cause| failed(cause.into()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options)
            .await;
        let readers = readers.map_err(|cause| failed(cause.into()))?;
        Ok(Self { writer, readers })
    }
}

/// Gives the writing connection back. After a failure it is closed instead and the next writer gets a fresh one: SQLite
/// rolls back by itself when the disk is full, sqlx 0.9 does not notice, and every later BEGIN on it would be refused.
fn settle<T>(mut connection: PoolConnection<Sqlite>, done: Result<T, StoreError>) -> Result<T, StoreError> {
    if done.is_err() {
        connection.close_on_drop();
    }
    done
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        // Primary result codes of SQLite: the values themselves are at fault, so that no later attempt can succeed.
        const TOO_BIG: u32 = 18;
        const CONSTRAINT: u32 = 19;
        const MISMATCH: u32 = 20;
        let code = match &error {
            sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<u32>().ok()),
            sqlx::Error::ColumnDecode { .. } => {
                return Self::Row {
                    what: "column",
                    cause: error.into(),
                };
            }
            _ => None,
        };
        match code.map(|code| code & 0xff) {
            Some(TOO_BIG | CONSTRAINT | MISMATCH) => Self::Refused(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

impl Store for SqliteStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Committed> {
        Box::pin(self.commit_batch(batch))
    }
    fn seed_sha256<'a>(&'a self, file: &'a str) -> Answer<'a, Option<String>> {
        Box::pin(self.read_seed_sha256(file))
    }
    fn take_seeds<'a>(&'a self, seeds: &'a Seeds, now_ms: UnixMs) -> Answer<'a, ()> {
        Box::pin(self.write_seeds(seeds, now_ms))
    }
    fn directory(&self) -> Answer<'_, Directory> {
        Box::pin(self.read_directory())
    }
    fn devices(&self) -> Answer<'_, Vec<DeviceRow>> {
        Box::pin(self.read_devices())
    }
    fn forget_online(&self, now_ms: UnixMs) -> Answer<'_, ()> {
        Box::pin(self.write_all_offline(now_ms))
    }
    fn revive<'a>(&'a self, origin: &'a Origin) -> Answer<'a, bool> {
        Box::pin(self.write_online(origin))
    }
    fn alerts<'a>(&'a self, page: &'a Page) -> Answer<'a, Vec<AlertRow>> {
        Box::pin(self.read_alerts(page))
    }
    fn alert(&self, id: EventId) -> Answer<'_, Option<AlertRow>> {
        Box::pin(self.read_alert(id))
    }
    fn events<'a>(&'a self, page: &'a Page) -> Answer<'a, Vec<EventRow>> {
        Box::pin(self.read_events(page))
    }
    fn counts<'a>(
        &'a self,
        from_ms: UnixMs,
        to_ms: UnixMs,
        site: Option<&'a SiteId>,
        limit: u32,
    ) -> Answer<'a, Vec<CountRow>> {
        Box::pin(self.read_counts(from_ms, to_ms, site, limit))
    }
    fn tallies(&self, day: LocalDay) -> Answer<'_, Vec<Tally>> {
        Box::pin(self.read_tallies(day))
    }
    fn covered_minutes(&self, from_ms: UnixMs, to_ms: UnixMs) -> Answer<'_, Vec<CameraMinutes>> {
        Box::pin(self.read_covered_minutes(from_ms, to_ms))
    }
    fn quarantine(&self, limit: u32) -> Answer<'_, Vec<QuarantineRow>> {
        Box::pin(self.read_quarantine(limit))
    }
    fn stats(&self) -> Answer<'_, Stats> {
        Box::pin(self.read_stats())
    }
    fn evidence(&self, alert: EventId) -> Answer<'_, Option<EvidenceRow>> {
        Box::pin(self.read_evidence(alert))
    }
    fn evidence_before(&self, before_ms: UnixMs, limit: u32) -> Answer<'_, Vec<EvidenceRow>> {
        Box::pin(self.read_evidence_before(before_ms, limit))
    }
    fn evidence_deleted<'a>(&'a self, alerts: &'a [EventId]) -> Answer<'a, ()> {
        Box::pin(self.write_evidence_deleted(alerts))
    }
    fn photographs(&self) -> Answer<'_, Vec<PhotographRow>> {
        Box::pin(self.read_photographs())
    }
    fn put_photograph<'a>(&'a self, photograph: &'a PhotographRow) -> Answer<'a, ()> {
        Box::pin(self.write_photograph(photograph))
    }
    fn bundle_version<'a>(&'a self, sha256: &'a str, above: u64, fresh: u64) -> Answer<'a, u64> {
        Box::pin(self.write_bundle_version(sha256, above, fresh))
    }
    fn log_access<'a>(&'a self, rows: &'a [AccessRow]) -> Answer<'a, ()> {
        Box::pin(self.write_access(rows))
    }
    fn put_user<'a>(
        &'a self,
        id: &'a str,
        name: &'a Names,
        role: Role,
        password_hash: &'a str,
        now_ms: UnixMs,
    ) -> Answer<'a, ()> {
        Box::pin(self.write_user(id, name, role, password_hash, now_ms))
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    async fn store() -> (tempfile::TempDir, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("deep/vong.sqlite"))
            .await
            .unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn the_contract_holds() {
        let (_folder, store) = store().await;
        contract::suite(&store).await;
    }

    #[tokio::test]
    async fn what_was_committed_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vong.sqlite");
        let store = SqliteStore::open(&path).await.unwrap();
        contract::fill(&store).await;
        let before = store.stats().await.unwrap();
        store.close().await;
        let again = SqliteStore::open(&path).await.unwrap();
        assert_eq!(again.stats().await.unwrap(), before);
        assert!(before.events > 0);
    }

    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_writes_nothing() {
        let (_folder, store) = store().await;
        contract::fill(&store).await;
        let before = store.stats().await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(limit).execute(&store.writer).await.unwrap();
        let batch = contract::large_batch(2_000);
        let error = store.commit(&batch).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("disk"), "{error}");
        assert_eq!(store.stats().await.unwrap(), before, "part of a batch was written");
        // The limit went with its connection; room is there again.
        store.commit(&batch).await.unwrap();
        assert_eq!(store.stats().await.unwrap().events, before.events + 2_000);
    }

    #[tokio::test]
    async fn a_file_of_another_kind_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("note.txt");
        std::fs::write(
            &path,
            "not a database at all, but long enough to be looked at as a header of one".repeat(20),
        )
        .unwrap();
        let error = SqliteStore::open(&path).await.unwrap_err().to_string();
        assert!(
            error.contains("note.txt") && error.contains("[store] sqlite"),
            "{error}"
        );
    }
}
