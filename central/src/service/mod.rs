//! What the office knows and tells: puts together the store, the directory and what is latest. It does not know how it
//! is asked (HTTP) nor how messages come (MQTT).

mod access;
mod bundle;
pub mod contract;
mod evidence;
mod keep;
mod latest;
mod live;
mod news;
mod operating_point;
mod photographs;
mod seeds;
mod show;
mod today;

pub use access::{AccessLog, Looked, write as write_access};
pub use bundle::{FaceModels, embed_photographs, make_bundle};
pub use evidence::{EvidenceError, EvidenceFault, EvidenceFolder};
pub use latest::{CameraKey, Latest, LatestView};
pub use live::{LiveFeed, LiveMessage};
pub use photographs::{PhotographFault, PhotographFolders, decode as decode_photograph, read_photograph, small_jpeg};
pub use seeds::{SeedError, read_seeds, take_seeds};

use crate::domain::{Directory, TZ_OFFSET_MIN, now_ms};
use crate::store::{Page, Store, StoreError};
use contract::{Alert, Device, Minute, Overview, Quarantined, Stats, StoredEvent};
use std::sync::{Arc, PoisonError, RwLock};
use today::Today;
use tokio::sync::{Mutex, Notify};
use vong_wire::{EventId, SiteId, UnixMs};

/// Alerts on the first page.
const NEWEST_ALERTS: u32 = 50;
/// What is shown of a message in quarantine.
const HEAD_CHARS: usize = 2_000;
/// Minutes in one answer: a week of one line.
const MOST_MINUTES: u32 = 10_080;

/// What the office knows and tells.
pub struct Service {
    store: Arc<dyn Store>,
    directory: RwLock<Arc<Directory>>,
    /// Held while the directory is read and put in place.
    reading: Mutex<()>,
    /// Lines moved, here or in another office.
    moved: Notify,
    /// The latest pictures and health.
    pub latest: Latest,
    /// The live feed.
    pub live: LiveFeed,
    /// Who looked at whose data.
    pub access: AccessLog,
    /// The pictures of alerts.
    pub evidence: EvidenceFolder,
    /// Folders that photographs are read from.
    pub photographs: PhotographFolders,
}

impl Service {
    /// Reads the directory and begins.
    pub async fn open(
        store: Arc<dyn Store>,
        access: AccessLog,
        evidence: EvidenceFolder,
        photographs: PhotographFolders,
    ) -> Result<Self, StoreError> {
        let directory = store.directory().await?;
        Ok(Self {
            store,
            directory: RwLock::new(Arc::new(directory)),
            reading: Mutex::new(()),
            moved: Notify::new(),
            latest: Latest::default(),
            live: LiveFeed::default(),
            access,
            evidence,
            photographs,
        })
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The store, to keep.
    pub fn shared_store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// What there is, as it was read last.
    pub fn directory(&self) -> Arc<Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the directory again after something was entered. One at a time: a reading that began earlier and ended later
    /// would put what is older in the place of what is newer.
    pub async fn reload_directory(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reading.lock().await;
        let directory = Arc::new(self.store.directory().await?);
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = directory;
        Ok(())
    }

    /// Everything the first page shows.
    pub async fn overview(&self) -> Result<Overview, StoreError> {
        let now_ms = now_ms();
        let directory = self.directory();
        let today = Today::read(self.store(), now_ms).await?;
        let rows = self.store.devices().await?;
        let devices = rows
            .iter()
            .filter_map(|row| self.show_device(&directory, row, &today))
            .collect();
        let gates = today.gates(&directory, &rows);
        let alerts = self.alerts(NEWEST_ALERTS, None, None).await?;
        let quarantine = self.store.quarantined().await?;
        Ok(Overview {
            now_ms,
            tz_offset_min: TZ_OFFSET_MIN,
            devices,
            gates,
            alerts,
            quarantine,
        })
    }

    /// One device as it stands.
    pub async fn device(&self, site: &SiteId, device: &vong_wire::DeviceId) -> Result<Option<Device>, StoreError> {
        let today = Today::read(self.store(), now_ms()).await?;
        let rows = self.store.devices().await?;
        let row = rows.iter().find(|row| row.site == *site && row.device == *device);
        Ok(row.and_then(|row| self.show_device(&self.directory(), row, &today)))
    }

    /// Alerts, newest first.
    pub async fn alerts(
        &self,
        limit: u32,
        before: Option<EventId>,
        site: Option<SiteId>,
    ) -> Result<Vec<Alert>, StoreError> {
        let page = Page {
            limit,
            before,
            site,
            kind: None,
        };
        let directory = self.directory();
        let rows = self.store.alerts(&page).await?;
        Ok(rows.into_iter().map(|row| show::alert(&directory, row)).collect())
    }

    /// Events, newest first.
    pub async fn events(&self, page: &Page) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = self.store.events(page).await?;
        Ok(rows.into_iter().map(show::event).collect())
    }

    /// Minutes of lines that began in `from_ms..to_ms`, oldest first.
    pub async fn counts(
        &self,
        from_ms: UnixMs,
        to_ms: UnixMs,
        site: Option<&SiteId>,
    ) -> Result<Vec<Minute>, StoreError> {
        let directory = self.directory();
        let rows = self.store.counts(from_ms, to_ms, site, MOST_MINUTES).await?;
        Ok(rows.into_iter().map(|row| show::minute(&directory, row)).collect())
    }

    /// Messages in quarantine, newest first.
    pub async fn quarantine(&self, limit: u32) -> Result<Vec<Quarantined>, StoreError> {
        let rows = self.store.quarantine(limit).await?;
        let shown = rows.into_iter().map(|row| Quarantined {
            received_ms: row.received_ms,
            topic: row.topic,
            reason: row.reason,
            bytes: row.bytes,
            head: String::from_utf8_lossy(&row.head).chars().take(HEAD_CHARS).collect(),
        });
        Ok(shown.collect())
    }

    /// How many rows there are.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        let stats = self.store.stats().await?;
        Ok(Stats {
            events: stats.events,
            alerts: stats.alerts,
            counts: stats.counts,
            evidence: stats.evidence,
            quarantined: stats.quarantined,
            doubled: stats.doubled,
            sse_lagged: self.live.lagged(),
        })
    }
}
