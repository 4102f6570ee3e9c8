//! Keeping what came, and telling the page. Invariant: the page is told of nothing that is not committed.

use super::contract::EvidenceCame;
use super::show;
use super::{CameraKey, Service};
use crate::domain::{LocalDay, now_ms};
use crate::store::{AlertRow, Batch, EventRow, Origin, Outcome, Record, StoreError};
use vong_wire::{Health, View};

impl Service {
    /// Commits a batch, then tells the live feed what is new in it.
    pub async fn keep(&self, batch: &Batch) -> Result<(), StoreError> {
        let committed = self.store().commit(batch).await?;
        if !committed.registered.is_empty() {
            for what in &committed.registered {
                tracing::warn!(
                    what,
                    "this announced itself and nobody has entered it; add it to the seeds"
                );
            }
            self.reload_directory().await?;
        }
        for (record, outcome) in batch.records.iter().zip(&committed.outcomes) {
            if *outcome == Outcome::New {
                self.tell(record, batch).await?;
            }
        }
        let today = LocalDay::of(now_ms());
        if committed.tallies.iter().any(|tally| tally.day == today) {
            self.moved.notify_one();
        }
        Ok(())
    }

    async fn tell(&self, record: &Record, batch: &Batch) -> Result<(), StoreError> {
        let directory = self.directory();
        match record {
            Record::Event(origin, event) if origin.is_news(event) => {
                let row = EventRow {
                    origin: origin.clone(),
                    stored_ms: batch.stored_ms,
                    event: event.clone(),
                };
                self.live.tell("event", &show::event(row));
            }
            Record::Alert(origin, alert, live) => {
                let list = directory.list(alert.cause.list());
                let row = AlertRow {
                    origin: origin.clone(),
                    stored_ms: batch.stored_ms,
                    alert: alert.clone(),
                    live: *live,
                    exercise: list.is_some_and(|list| list.exercise),
                    has_picture: false,
                };
                self.live.tell("alert", &show::alert(&directory, row));
            }
            Record::Evidence(_, evidence) => {
                let came = EvidenceCame {
                    alert: evidence.alert,
                    evidence_url: show::evidence_url(evidence.alert),
                };
                self.live.tell("evidence", &came);
            }
            Record::State(origin, _) => self.tell_device(origin).await?,
            // What happened long ago and comes only now is stored, not told: a day's outage would drown what is happening.
            Record::Event(..) | Record::Count(..) | Record::Quarantine(_) => {}
        }
        Ok(())
    }

    async fn tell_device(&self, origin: &Origin) -> Result<(), StoreError> {
        if let Some(device) = self.device(&origin.site, &origin.device).await? {
            self.live.tell("device", &device);
        }
        Ok(())
    }

    /// Shows a camera's newer picture.
    pub fn show_view(&self, origin: &Origin, view: View) {
        let key = CameraKey {
            site: origin.site.clone(),
            device: origin.device.clone(),
            camera: view.header.camera.clone(),
        };
        let moved = super::contract::ViewMoved {
            site: key.site.clone(),
            device: key.device.clone(),
            camera: key.camera.clone(),
            view_url: key.view_url(view.header.at_ms),
            view: view.header.clone(),
        };
        if self.latest.put_view(key, view) {
            self.live.tell("view", &moved);
        }
    }

    /// Shows a device's health; a device thought away is there again.
    pub async fn show_health(&self, origin: &Origin, health: Health) -> Result<(), StoreError> {
        self.latest.put_health(&origin.site, &origin.device, health);
        self.store().revive(origin).await?;
        self.tell_device(origin).await
    }
}
