//! The store on one machine: SQLite in WAL mode with `synchronous = FULL`, so that a commit survives the loss of power.
//! One connection writes, because SQLite has one writer anyway and waits in the pool are fair; a few others read.

mod bulk;
#[path = "../shared/commit.rs"]
mod commit;
#[path = "../shared/directory.rs"]
mod directory;
#[path = "../shared/lists.rs"]
mod lists;
#[path = "../shared/minute.rs"]
mod minute;
#[path = "../shared/read.rs"]
mod read;
#[path = "../shared/row.rs"]
mod row;
#[path = "../shared/seam.rs"]
mod seam;

use super::group::Grouped;
use super::{Batch, Committed, Heard, StoreError};
use commit::{Places, settle, tally};
use futures::StreamExt;
use futures::stream::BoxStream;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite, SqliteConnection, Transaction};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const READERS: u32 = 4;

// What the shared modules are written against.
use self::SqliteStore as ThisStore;
type Db = Sqlite;
type DbConnection = SqliteConnection;
type DbRow = sqlx::sqlite::SqliteRow;
type Write<'t> = Transaction<'t, Sqlite>;

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    places: Arc<Places>,
    teller: Uuid,
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
            // 32 MB of log before it is moved into the file, instead of 4: that costs two syncs each time.
            .pragma("wal_autocheckpoint", "8000")
            .pragma("cache_size", "-65536")
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
        Ok(Self {
            writer,
            readers,
            places: Arc::default(),
            teller: Uuid::now_v7(),
        })
    }

    async fn commit_batch(&self, batch: &Batch) -> Result<Committed, StoreError> {
        self.commit_once(&Grouped::of(batch), batch.stored_ms).await
    }

    /// The file belongs to one process: there are no others to hear of.
    fn listen(&self) -> BoxStream<'static, Heard> {
        futures::stream::pending().boxed()
    }
}

/// Begins to write; SQLite has one writer.
async fn begin_write(connection: &mut SqliteConnection) -> Result<Write<'_>, StoreError> {
    Ok(connection.begin_with("BEGIN IMMEDIATE").await?)
}

/// Begins to read and write what only one writer at a time may.
async fn begin_alone(connection: &mut SqliteConnection) -> Result<Write<'_>, StoreError> {
    begin_write(connection).await
}

/// Begins to read several tables as they stand at one moment.
async fn begin_steady(pool: &SqlitePool) -> Result<Write<'static>, StoreError> {
    Ok(pool.begin().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, contract};

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
