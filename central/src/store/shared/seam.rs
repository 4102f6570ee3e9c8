//! The seam itself: what [`Store`] asks is answered by the modules beside. One text for both databases.

use super::ThisStore;
use crate::domain::{Directory, LocalDay, Names, Role};
use crate::store::{
    AccessRow, AlertRow, Answer, Batch, CameraMinutes, Committed, CountRow, DeviceRow, EventRow, EvidenceRow, Heard,
    Origin, Page, PhotographRow, QuarantineRow, Seeds, Stats, Store, Tally,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use vong_wire::{EventId, SiteId, UnixMs};

impl Store for ThisStore {
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
    fn quarantined(&self) -> Answer<'_, u64> {
        Box::pin(self.read_quarantined())
    }
    fn fresh_events<'a>(&'a self, ids: &'a [EventId]) -> Answer<'a, Vec<EventRow>> {
        Box::pin(self.read_fresh_events(ids))
    }
    fn news(&self) -> BoxStream<'static, Heard> {
        self.listen()
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
