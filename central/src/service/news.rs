//! Telling the page what did not pass through this process's own hands in this moment: what other offices on the same
//! database committed, and where the counts of the day stand. Invariant: only what is committed is told.

use super::Service;
use super::contract::EvidenceCame;
use super::show;
use super::today::Today;
use crate::domain::{LineKey, LocalDay, now_ms};
use crate::store::{Heard, News, StoreError};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Counts are told at most so often: a person reads no faster, and after an outage every commit moves every line.
const COUNTS_EVERY: Duration = Duration::from_millis(250);

impl Service {
    /// Tells the page what other offices commit, until told to stop.
    pub async fn follow_others(self: Arc<Self>, stop: CancellationToken) {
        let mut news = self.store().news();
        let mut first = true;
        loop {
            let heard = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                heard = news.next() => heard,
            };
            let told = match heard {
                None => return,
                Some(Heard::News(news)) => self.tell_news(&news).await,
                Some(Heard::Again) => {
                    // The first time there is no page yet that could have missed something, but another office may have
                    // entered a device since this one read the directory.
                    if !std::mem::take(&mut first) {
                        self.live.tell("reload", &serde_json::json!({}));
                    }
                    self.reload_directory().await
                }
            };
            if let Err(cause) = told {
                tracing::error!(%cause, "what another office committed could not be read; pages are told to reload");
                self.live.tell("reload", &serde_json::json!({}));
            }
        }
    }

    async fn tell_news(&self, news: &News) -> Result<(), StoreError> {
        if news.registered {
            self.reload_directory().await?;
        }
        if news.moved {
            self.moved.notify_one();
        }
        let directory = self.directory();
        for alert in &news.alerts {
            if let Some(row) = self.store().alert(*alert).await? {
                self.live.tell("alert", &show::alert(&directory, row));
            }
        }
        for alert in &news.evidence {
            let came = EvidenceCame {
                alert: *alert,
                evidence_url: show::evidence_url(*alert),
            };
            self.live.tell("evidence", &came);
        }
        if !news.events.is_empty() {
            for row in self.store().fresh_events(&news.events).await? {
                self.live.tell("event", &show::event(row));
            }
        }
        Ok(())
    }

    /// Tells the page where the counts of the day stand whenever lines moved, until told to stop.
    pub async fn tell_counts(self: Arc<Self>, stop: CancellationToken) {
        let mut told: HashMap<LineKey, (u64, u64)> = HashMap::new();
        let mut day = LocalDay::of(now_ms());
        if let Ok(tallies) = self.store().tallies(day).await {
            told.extend(
                tallies
                    .into_iter()
                    .map(|tally| (tally.key, (tally.entered, tally.departed))),
            );
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.moved.notified() => {}
            }
            let today = LocalDay::of(now_ms());
            if std::mem::replace(&mut day, today) != today {
                told.clear();
            }
            match self.store().tallies(today).await {
                Ok(tallies) => {
                    let stand = |tally: &crate::store::Tally| (tally.entered, tally.departed);
                    let changed = tallies
                        .iter()
                        .filter(|tally| told.get(&tally.key) != Some(&stand(tally)));
                    let changed: Vec<_> = changed.map(|tally| (tally.key.clone(), stand(tally))).collect();
                    let (directory, counts) = (self.directory(), Today::of(tallies, Vec::new(), now_ms()));
                    for (key, stand) in changed {
                        self.live.tell("count", &counts.moved(&directory, &key));
                        told.insert(key, stand);
                    }
                }
                Err(cause) => {
                    tracing::error!(%cause, "the counts of the day could not be read; it is tried at the next move")
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COUNTS_EVERY) => {}
            }
        }
    }
}
