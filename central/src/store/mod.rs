//! Where everything is kept. Invariant: what [`Store::commit`] returned for survives the loss of power, and committing
//! the same message again changes nothing. It knows no broker, no page and no model.
//!
//! [`Store`] is a seam: SQLite on one machine, a server database for a province. `contract.rs` is the suite that every
//! implementation passes.

mod address;
mod bare;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod contract_counts;
mod fault;
mod group;
mod postgres;
mod records;
#[cfg(test)]
mod samples;
// The modules below `shared` are compiled once for each database, against its own names for a row, a connection and a
// transaction: sqlx is generic over databases only at the price of bounds longer than the queries.
#[allow(clippy::duplicate_mod)]
mod sqlite;

pub use address::{StoreAddress, StoreAddressError};
pub use bare::BareRow;
pub use postgres::PostgresStore;
pub use records::{
    AccessRow, AlertRow, Batch, CameraMinutes, Committed, CountRow, DeviceRow, EventRow, EvidenceRow, FaceVector,
    Heard, News, Origin, Outcome, Page, PhotographRow, QuarantineRow, Record, Stats, Tally, Variances,
};
pub use sqlite::SqliteStore;

use crate::domain::List;
use crate::domain::{Directory, LocalDay, Names, Province, Role, Site, User};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use std::path::PathBuf;
use vong_wire::{EventId, SiteId, UnixMs};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder of the database cannot be made.
    #[error("cannot make the folder `{path}` of the database: {cause}; check [store] sqlite and the rights on it")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The database cannot be opened or is none of ours.
    #[error(
        "cannot open the database `{path}`: {cause}; check [store] sqlite, that the disk is writable and not full, and that the file was made by this program"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the database said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address of a server cannot be understood. It may hold a password and is not shown.
    #[error("[store] postgres cannot be understood: {0}; write it as postgres://user:password@host:5432/database")]
    Address(String),
    /// A server cannot be reached or its database is none of ours.
    #[error(
        "cannot use the database `{place}`: {cause}; check [store] postgres, that the server runs, and that the user owns the database"
    )]
    Server {
        /// Host, port and database.
        place: String,
        /// What was said.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It may work later: disk full, file locked, link lost. Nothing was written.
    #[error("the database cannot be used at present: {0}; check that its disk is there, writable and not full")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It will never work: the database refuses these very values. Nothing was written.
    #[error("the database refuses a record: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row cannot be read back into what it was.
    #[error("a row of the database cannot be read back ({what}): {cause}")]
    Row {
        /// Table or column.
        what: &'static str,
        /// Why not.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// An answer of the store, on its way.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What seed files bring.
#[derive(Debug, Clone, Default)]
pub struct Seeds {
    /// Names and hashes of the files.
    pub files: Vec<(String, String)>,
    /// Provinces.
    pub provinces: Vec<Province>,
    /// Sites with all that stands on them.
    pub sites: Vec<Site>,
    /// Watchlists.
    pub lists: Vec<List>,
    /// Users.
    pub users: Vec<User>,
}

/// The store of the office.
pub trait Store: Send + Sync {
    /// Writes all records of a batch in one transaction, or none.
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Committed>;

    /// Hash with which a seed file was taken in last.
    fn seed_sha256<'a>(&'a self, file: &'a str) -> Answer<'a, Option<String>>;
    /// Takes seeds in: adds what is missing, renames what is there, removes nothing but photographs no longer named.
    fn take_seeds<'a>(&'a self, seeds: &'a Seeds, now_ms: UnixMs) -> Answer<'a, ()>;
    /// Everything there is.
    fn directory(&self) -> Answer<'_, Directory>;

    /// All devices with what they said of themselves.
    fn devices(&self) -> Answer<'_, Vec<DeviceRow>>;
    /// Sets devices that were online to offline: called at start, when no device can be known to be there.
    fn forget_online(&self, now_ms: UnixMs) -> Answer<'_, ()>;
    /// Sets an offline device online: a sign of life came.
    fn revive<'a>(&'a self, origin: &'a Origin) -> Answer<'a, bool>;

    /// Alerts, newest first.
    fn alerts<'a>(&'a self, page: &'a Page) -> Answer<'a, Vec<AlertRow>>;
    /// One alert.
    fn alert(&self, id: EventId) -> Answer<'_, Option<AlertRow>>;
    /// Events, newest first.
    fn events<'a>(&'a self, page: &'a Page) -> Answer<'a, Vec<EventRow>>;
    /// Minutes that began in `from_ms..to_ms`, at most `limit`, oldest first.
    fn counts<'a>(
        &'a self,
        from_ms: UnixMs,
        to_ms: UnixMs,
        site: Option<&'a SiteId>,
        limit: u32,
    ) -> Answer<'a, Vec<CountRow>>;
    /// Crossings of a day by line.
    fn tallies(&self, day: LocalDay) -> Answer<'_, Vec<Tally>>;
    /// Minutes by line that began in `from_ms..to_ms`, with their coverage and their doubts summed up.
    fn covered_minutes(&self, from_ms: UnixMs, to_ms: UnixMs) -> Answer<'_, Vec<CameraMinutes>>;
    /// Messages in quarantine, newest first.
    fn quarantine(&self, limit: u32) -> Answer<'_, Vec<QuarantineRow>>;
    /// Messages that ever went into quarantine.
    fn quarantined(&self) -> Answer<'_, u64>;
    /// Events by their ids, in the order of the ids; those that are not there are left out.
    fn fresh_events<'a>(&'a self, ids: &'a [EventId]) -> Answer<'a, Vec<EventRow>>;
    /// What other processes commit to the same database from now on.
    fn news(&self) -> BoxStream<'static, Heard>;
    /// How many rows there are.
    fn stats(&self) -> Answer<'_, Stats>;

    /// The picture of an alert, unless it was deleted after its time.
    fn evidence(&self, alert: EventId) -> Answer<'_, Option<EvidenceRow>>;
    /// Pictures that came before a moment and are still there, oldest first, at most `limit`.
    fn evidence_before(&self, before_ms: UnixMs, limit: u32) -> Answer<'_, Vec<EvidenceRow>>;
    /// Notes that pictures were deleted.
    fn evidence_deleted<'a>(&'a self, alerts: &'a [EventId]) -> Answer<'a, ()>;

    /// All photographs of lists, with what was made of them.
    fn photographs(&self) -> Answer<'_, Vec<PhotographRow>>;
    /// Writes what was made of a photograph.
    fn put_photograph<'a>(&'a self, photograph: &'a PhotographRow) -> Answer<'a, ()>;
    /// Version of the watchlists with this content: that in force if the content is the same and it lies above `above`;
    /// else a new one, above both and not below `fresh`.
    fn bundle_version<'a>(&'a self, sha256: &'a str, above: u64, fresh: u64) -> Answer<'a, u64>;

    /// Notes who looked at what.
    fn log_access<'a>(&'a self, rows: &'a [AccessRow]) -> Answer<'a, ()>;
    /// Adds a user or changes role and password.
    fn put_user<'a>(
        &'a self,
        id: &'a str,
        name: &'a Names,
        role: Role,
        password_hash: &'a str,
        now_ms: UnixMs,
    ) -> Answer<'a, ()>;

    /// Closes the database; everything committed stays.
    fn close(&self) -> BoxFuture<'_, ()>;
}
