//! The live feed: what is committed, as it is committed. A bounded ring that all readers share; who falls behind by
//! more than its length is told to reload, and that is counted.

use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast;

/// Messages that a slow reader may lie behind.
const RING: usize = 256;

/// One message of the feed.
#[derive(Debug, Clone)]
pub struct LiveMessage {
    /// `alert`, `event`, `count`, `device`, `view`, `evidence`.
    pub name: &'static str,
    /// Its data as JSON, made once for all readers.
    pub json: Arc<str>,
}

/// The feed.
#[derive(Debug)]
pub struct LiveFeed {
    sender: broadcast::Sender<LiveMessage>,
    lagged: AtomicU64,
}

impl Default for LiveFeed {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(RING),
            lagged: AtomicU64::new(0),
        }
    }
}

impl LiveFeed {
    /// Tells all readers; without readers nothing is made.
    pub fn tell(&self, name: &'static str, data: &impl Serialize) {
        if self.sender.receiver_count() == 0 {
            return;
        }
        match serde_json::to_string(data) {
            Ok(json) => drop(self.sender.send(LiveMessage {
                name,
                json: json.into(),
            })),
            Err(cause) => tracing::error!(name, %cause, "a message of the live feed cannot be coded"),
        }
    }

    /// Begins to read.
    pub fn listen(&self) -> broadcast::Receiver<LiveMessage> {
        self.sender.subscribe()
    }

    /// Counts a reader that fell behind.
    pub fn note_lagged(&self) {
        self.lagged.fetch_add(1, Ordering::Relaxed);
    }

    /// How often readers fell behind.
    pub fn lagged(&self) -> u64 {
        self.lagged.load(Ordering::Relaxed)
    }
}
