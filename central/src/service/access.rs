//! Who looked at whose data. Noting never makes the looker wait: a bounded queue feeds one writer. What finds no room
//! is counted and reported, for an entry that is missing from this log is a loss.

use crate::domain::now_ms;
use crate::store::{AccessRow, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

const QUEUE: usize = 1024;
const AT_ONCE: usize = 128;
const PAUSE: Duration = Duration::from_secs(1);

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// The picture of an alert.
    Evidence,
    /// The photograph of a list's entry.
    Photo,
    /// A list of alerts.
    Alerts,
    /// A list of events, which may hold plates.
    Events,
    /// Messages in quarantine, which may hold anything.
    Quarantine,
    /// The live feed, from its opening on.
    Live,
    /// The latest picture of a camera, at its first look since the page was opened.
    View,
}

impl Looked {
    fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Photo => "photo",
            Self::Alerts => "alerts",
            Self::Events => "events",
            Self::Quarantine => "quarantine",
            Self::Live => "live",
            Self::View => "view",
        }
    }
}

/// Takes notes for the log.
#[derive(Debug, Clone)]
pub struct AccessLog {
    queue: Sender<AccessRow>,
}

impl AccessLog {
    /// The log and the queue that [`write()`] empties.
    pub fn new() -> (Self, Receiver<AccessRow>) {
        let (queue, rows) = mpsc::channel(QUEUE);
        (Self { queue }, rows)
    }

    /// Notes a look.
    pub fn note(&self, who: &str, what: Looked, subject: impl Into<String>) {
        let row = AccessRow {
            at_ms: now_ms(),
            who: who.to_string(),
            what: what.as_str().to_string(),
            subject: subject.into(),
        };
        if self.queue.try_send(row).is_err() {
            tracing::error!(what = what.as_str(), "the access log has no room; a look was not noted");
        }
    }
}

/// Writes the notes until told to stop and none is left.
pub async fn write(store: Arc<dyn Store>, mut rows: Receiver<AccessRow>, stop: CancellationToken) {
    let mut noted = Vec::with_capacity(AT_ONCE);
    let mut failing = false;
    loop {
        let came = tokio::select! {
            biased;
            came = rows.recv_many(&mut noted, AT_ONCE) => came,
            () = stop.cancelled() => 0,
        };
        if came == 0 {
            return;
        }
        while let Err(cause) = store.log_access(&noted).await {
            if !failing {
                tracing::error!(%cause, "the access log cannot be written; it is tried again every second");
                failing = true;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        if std::mem::take(&mut failing) {
            tracing::info!("the access log is written again");
        }
        noted.clear();
    }
}
