//! What ingest is measured against: the same rows of events written to the same store by the fastest plain way, without
//! looking for doubles. Into a table of its own with the columns, the key and the index of `event`, dropped afterwards.

use super::{StoreAddress, StoreError};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A row of an event.
#[derive(Debug, Clone)]
pub struct BareRow {
    /// Its id.
    pub id: Uuid,
    /// Site, device, camera, kind.
    pub texts: [String; 4],
    /// Camera time, received, stored.
    pub times: [i64; 3],
    /// The message as JSON.
    pub body: String,
}

const COLUMNS: &str = "id, site, device, camera, kind, camera_time_ms, received_ms, stored_ms, body";
/// Rows of one prepared statement.
const ROWS: usize = 128;

impl StoreAddress {
    /// How long writing the rows takes, one transaction, until it is on the disk.
    pub async fn write_bare(&self, rows: &[BareRow]) -> Result<Duration, StoreError> {
        match self {
            Self::Postgres(url) => copy(url, rows).await,
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full);
                insert(&options, rows).await
            }
        }
    }

    /// Deletes what a measurement wrote: everything of a site.
    pub async fn forget_site(&self, site: &str) -> Result<(), StoreError> {
        const TABLES: [(&str, &str); 7] = [
            ("event", "site"),
            ("tally", "site"),
            ("count_minute", "site"),
            ("line", "site"),
            ("camera", "site"),
            ("device", "site"),
            ("site", "id"),
        ];
        for (table, column) in TABLES {
            let delete = AssertSqlSafe(format!("DELETE FROM {table} WHERE {column} = $1"));
            match self {
                Self::Postgres(url) => {
                    let mut connection = PgConnection::connect(url).await?;
                    sqlx::query(delete).bind(site).execute(&mut connection).await?;
                    connection.close().await?;
                }
                Self::Sqlite(path) => {
                    let options = SqliteConnectOptions::new().filename(path);
                    let mut connection = SqliteConnection::connect_with(&options).await?;
                    sqlx::query(delete).bind(site).execute(&mut connection).await?;
                    connection.close().await?;
                }
            }
        }
        Ok(())
    }
}

async fn copy(url: &str, rows: &[BareRow]) -> Result<Duration, StoreError> {
    // Made before the clock starts: only the writing is measured.
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let field = |bytes: &mut Vec<u8>, value: &[u8]| {
        bytes.extend_from_slice(&(value.len() as i32).to_be_bytes());
        bytes.extend_from_slice(value);
    };
    for row in rows {
        bytes.extend_from_slice(&9_i16.to_be_bytes());
        field(&mut bytes, row.id.as_bytes());
        row.texts.iter().for_each(|text| field(&mut bytes, text.as_bytes()));
        row.times.iter().for_each(|time| field(&mut bytes, &time.to_be_bytes()));
        field(&mut bytes, row.body.as_bytes());
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql("DROP TABLE IF EXISTS bench_bare; CREATE TABLE bench_bare (LIKE event INCLUDING ALL)")
        .execute(&mut connection)
        .await?;
    let begun = Instant::now();
    let statement = format!("COPY bench_bare ({COLUMNS}) FROM STDIN (FORMAT binary)");
    let mut copy = connection.copy_in_raw(&statement).await?;
    copy.send(bytes).await?;
    copy.finish().await?;
    let took = begun.elapsed();
    sqlx::raw_sql("DROP TABLE bench_bare").execute(&mut connection).await?;
    connection.close().await?;
    Ok(took)
}

async fn insert(options: &SqliteConnectOptions, rows: &[BareRow]) -> Result<Duration, StoreError> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let make = "DROP TABLE IF EXISTS bench_bare;
                CREATE TABLE bench_bare (id BLOB PRIMARY KEY, site TEXT NOT NULL, device TEXT NOT NULL,
                    camera TEXT NOT NULL, kind TEXT NOT NULL, camera_time_ms BIGINT NOT NULL,
                    received_ms BIGINT NOT NULL, stored_ms BIGINT NOT NULL, body TEXT NOT NULL);
                CREATE INDEX bench_bare_by_time ON bench_bare (camera_time_ms, id)";
    sqlx::raw_sql(make).execute(&mut connection).await?;
    let begun = Instant::now();
    let mut write = connection.begin_with("BEGIN IMMEDIATE").await?;
    for chunk in rows.chunks(ROWS) {
        let values = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        let mut query = sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO bench_bare ({COLUMNS}) VALUES {values}"
        )));
        for row in chunk {
            query = query.bind(row.id);
            for text in &row.texts {
                query = query.bind(text);
            }
            for time in row.times {
                query = query.bind(time);
            }
            query = query.bind(&row.body);
        }
        query.execute(&mut *write).await?;
    }
    write.commit().await?;
    let took = begun.elapsed();
    sqlx::raw_sql("DROP TABLE bench_bare").execute(&mut connection).await?;
    connection.close().await?;
    Ok(took)
}
