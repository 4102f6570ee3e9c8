//! What only its newest form is worth anything of: views that wait for the link, and watchlists that wait to be put in
//! force. Invariant: putting never waits, so that neither a slow link nor slow lists hold up what must not be lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use vong_wire::{CameraId, View, WatchlistBundle};

/// The newest view of each camera: an older one is worthless and is replaced.
#[derive(Debug, Default)]
pub struct LatestViews {
    views: Mutex<HashMap<CameraId, View>>,
    changed: Notify,
}

impl LatestViews {
    /// Puts a view in place of the one before.
    pub fn put(&self, view: View) {
        lock(&self.views).insert(view.header.camera.clone(), view);
        self.changed.notify_one();
    }

    /// Waits until a view was put.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn take(&self) -> Vec<View> {
        lock(&self.views).drain().map(|(_, view)| view).collect()
    }
}

/// The newest watchlists that came and are not yet in force. Central sends them again for as long as they are not.
#[derive(Debug, Default)]
pub struct LatestBundle {
    bundle: Mutex<Option<WatchlistBundle>>,
    came: Notify,
}

impl LatestBundle {
    /// Puts a bundle in place of the one that waits, unless that one is newer.
    pub fn put(&self, bundle: WatchlistBundle) {
        let mut waiting = lock(&self.bundle);
        if waiting.as_ref().is_none_or(|waiting| waiting.version <= bundle.version) {
            *waiting = Some(bundle);
            self.came.notify_one();
        }
    }

    /// Waits for a bundle and takes it.
    pub async fn take(&self) -> WatchlistBundle {
        loop {
            let waiting = lock(&self.bundle).take();
            match waiting {
                Some(bundle) => return bundle,
                None => self.came.notified().await,
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(version: u64) -> WatchlistBundle {
        WatchlistBundle { version, lists: vec![] }
    }

    #[tokio::test]
    async fn the_newest_bundle_is_taken_once() {
        let latest = LatestBundle::default();
        for version in [1, 4, 2, 4, 3] {
            latest.put(bundle(version));
        }
        assert_eq!(latest.take().await.version, 4);
        // A wake-up that is left over is no bundle.
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(20), latest.take()).await;
        assert!(nothing.is_err());
        latest.put(bundle(3));
        assert_eq!(latest.take().await.version, 3);
    }
}
