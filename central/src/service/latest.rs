//! The latest picture and health of each camera and device, in memory only: unknown faces are never stored. Invariant:
//! at most one of each a camera, and no more cameras than [`MOST_CAMERAS`].

use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vong_wire::{CameraHealth, CameraId, DeviceId, Health, SiteId, UnixMs, View, ViewHeader};

/// Cameras whose pictures are kept: 2,000 of 100 KB are 200 MB.
const MOST_CAMERAS: usize = 2_000;

/// A camera of a device of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CameraKey {
    /// The site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// The camera.
    pub camera: CameraId,
}

impl CameraKey {
    /// Where its picture of a moment is served.
    pub fn view_url(&self, at_ms: UnixMs) -> String {
        format!(
            "/api/v1/views/{}/{}/{}.jpg?t={at_ms}",
            self.site, self.device, self.camera
        )
    }
}

/// The latest picture of a camera.
#[derive(Debug, Clone)]
pub struct LatestView {
    /// Boxes and lines.
    pub header: ViewHeader,
    /// The picture.
    pub jpeg: Bytes,
}

/// The latest health of a device.
#[derive(Debug, Clone)]
pub struct LatestHealth {
    /// As the device told it.
    pub health: Health,
    /// Time since the message before, of the same start of the device.
    pub interval_ms: Option<UnixMs>,
}

impl LatestHealth {
    /// How one camera is.
    pub fn camera(&self, id: &CameraId) -> Option<&CameraHealth> {
        self.health.cameras.iter().find(|camera| camera.camera == *id)
    }

    /// Frames a second of a camera.
    pub fn fps(&self, id: &CameraId) -> Option<f32> {
        let interval_ms = self.interval_ms.filter(|interval_ms| *interval_ms > 0)?;
        Some(self.camera(id)?.frames as f32 * 1_000.0 / interval_ms as f32)
    }
}

/// All that is latest.
#[derive(Debug, Default)]
pub struct Latest {
    views: Mutex<HashMap<CameraKey, LatestView>>,
    health: Mutex<HashMap<(SiteId, DeviceId), LatestHealth>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Latest {
    /// Puts a picture in place of the one before; false where there are too many cameras.
    pub fn put_view(&self, key: CameraKey, view: View) -> bool {
        let mut views = lock(&self.views);
        if views.len() >= MOST_CAMERAS && !views.contains_key(&key) {
            return false;
        }
        let latest = LatestView {
            header: view.header,
            jpeg: view.jpeg.into(),
        };
        views.insert(key, latest);
        true
    }

    /// The picture of a camera.
    pub fn view(&self, key: &CameraKey) -> Option<LatestView> {
        lock(&self.views).get(key).cloned()
    }

    /// Cameras of a device that have sent a picture.
    pub fn cameras_of(&self, site: &SiteId, device: &DeviceId) -> Vec<CameraId> {
        let views = lock(&self.views);
        let of_device = views.keys().filter(|key| key.site == *site && key.device == *device);
        of_device.map(|key| key.camera.clone()).collect()
    }

    /// Puts the health of a device in place of the one before.
    pub fn put_health(&self, site: &SiteId, device: &DeviceId, health: Health) {
        let mut all = lock(&self.health);
        let key = (site.clone(), device.clone());
        let before = all.get(&key).filter(|before| before.health.boot == health.boot);
        let interval_ms = before.map(|before| health.at_ms - before.health.at_ms);
        all.insert(key, LatestHealth { health, interval_ms });
    }

    /// The health of a device.
    pub fn health(&self, site: &SiteId, device: &DeviceId) -> Option<LatestHealth> {
        lock(&self.health).get(&(site.clone(), device.clone())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_wire::{BootId, CameraStatus};

    fn health(boot: BootId, at_ms: UnixMs, frames: u64) -> Health {
        let camera = CameraHealth {
            camera: CameraId::new("gate").unwrap(),
            status: CameraStatus::Live,
            frames,
            frames_replaced: 0,
            shed: 0,
            counters: Default::default(),
            stages: Default::default(),
        };
        Health {
            boot,
            at_ms,
            clock_unsure: false,
            trouble: None,
            restarts: 0,
            cameras: vec![camera],
            outbox_depth: 0,
            outbox: None,
            disk_free_mib: 0,
            rss_mib: 0,
        }
    }

    #[test]
    fn frames_a_second_need_two_messages_of_one_start() {
        let (site, device) = (SiteId::new("s").unwrap(), DeviceId::new("d").unwrap());
        let camera = CameraId::new("gate").unwrap();
        let latest = Latest::default();
        let fps = || latest.health(&site, &device).unwrap().fps(&camera);
        let boot = BootId::generate();
        latest.put_health(&site, &device, health(boot, 1_000, 7));
        assert_eq!(fps(), None);
        latest.put_health(&site, &device, health(boot, 11_000, 250));
        assert_eq!(fps(), Some(25.0));
        latest.put_health(&site, &device, health(BootId::generate(), 12_000, 250));
        assert_eq!(fps(), None);
    }
}
