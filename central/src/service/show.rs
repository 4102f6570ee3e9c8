//! From rows and ids to what an operator reads. What nobody has named is shown by its id.

use super::contract::{
    Alert, AlertEntry, AlertKind, AlertList, Camera, CameraStatus, Device, DeviceStatus, LineCount, Minute, StoredEvent,
};
use super::today::Today;
use super::{CameraKey, Service};
use crate::domain::{Camera as KnownCamera, Directory, LineKey, Names};
use crate::store::{AlertRow, CountRow, DeviceRow, EventRow};
use vong_wire::{AlertCause, CameraId, EventId};

/// Where the picture of an alert is served.
pub(super) fn evidence_url(alert: EventId) -> String {
    format!("/api/v1/evidence/{alert}.jpg")
}

pub(super) fn alert(directory: &Directory, row: AlertRow) -> Alert {
    let AlertRow {
        origin,
        alert,
        live,
        exercise,
        has_picture,
        ..
    } = row;
    let camera_name = directory
        .camera(&origin.site, &origin.device, &alert.camera)
        .map(|camera| camera.name.clone());
    let site_name = directory.site(&origin.site).map(|site| site.name.clone());
    let (cause, list, entry, similarity, threshold, plate, matched) = match alert.cause {
        AlertCause::Face {
            list,
            entry,
            similarity,
            threshold,
        } => (
            AlertKind::Face,
            list,
            entry,
            Some(similarity),
            Some(threshold),
            None,
            None,
        ),
        AlertCause::Plate {
            list,
            entry,
            plate,
            matched,
        } => (AlertKind::Plate, list, entry, None, None, Some(plate), Some(matched)),
    };
    let known_entry = directory.entry(&list, &entry);
    let has_photo = known_entry.is_some_and(|known| !known.photographs.is_empty());
    Alert {
        id: alert.id,
        at_ms: alert.camera_time_ms,
        received_ms: origin.received_ms,
        site_name: site_name.unwrap_or_else(|| Names::of_id(&origin.site)),
        site: origin.site,
        device: origin.device,
        camera_name: camera_name.unwrap_or_else(|| Names::of_id(&alert.camera)),
        camera: alert.camera,
        severity: alert.severity,
        exercise,
        live,
        replayed: alert.replayed,
        cause,
        similarity,
        threshold,
        plate,
        matched,
        evidence_url: has_picture.then(|| evidence_url(alert.id)),
        photo_url: has_photo.then(|| format!("/api/v1/entries/{list}/{entry}/photo.jpg")),
        entry: AlertEntry {
            label: known_entry.map_or_else(|| Names::of_id(&entry), |known| known.label.clone()),
            id: entry,
        },
        list: AlertList {
            name: directory
                .list(&list)
                .map_or_else(|| Names::of_id(&list), |known| known.name.clone()),
            id: list,
        },
    }
}

pub(super) fn event(row: EventRow) -> StoredEvent {
    StoredEvent {
        site: row.origin.site,
        device: row.origin.device,
        received_ms: row.origin.received_ms,
        stored_ms: row.stored_ms,
        event: row.event,
    }
}

pub(super) fn minute(directory: &Directory, row: CountRow) -> Minute {
    let gate = directory.gate_of(&row.key).map(ToString::to_string);
    Minute {
        site: row.key.site,
        device: row.key.device,
        camera: row.key.camera,
        line: row.key.line,
        gate,
        minute_ms: row.minute_ms,
        entered: row.entered,
        departed: row.departed,
        coverage: row.coverage,
        in_sd: row.doubt.entered.map(f64::sqrt),
        out_sd: row.doubt.departed.map(f64::sqrt),
    }
}

impl Service {
    /// A device with its cameras: those entered first, then those it only talks of.
    pub(super) fn show_device(&self, directory: &Directory, row: &DeviceRow, today: &Today) -> Option<Device> {
        let known = directory.device(&row.site, &row.device)?;
        let health = self.latest.health(&row.site, &row.device);
        let status = match row.status {
            Some(vong_wire::DeviceStatus::Online) => DeviceStatus::Online,
            Some(vong_wire::DeviceStatus::Offline) => DeviceStatus::Offline,
            Some(vong_wire::DeviceStatus::Stopped) => DeviceStatus::Stopped,
            None => DeviceStatus::Never,
        };
        let mut others = self.latest.cameras_of(&row.site, &row.device);
        let in_health = health.iter().flat_map(|latest| latest.health.cameras.iter());
        others.extend(in_health.map(|camera| camera.camera.clone()));
        others.retain(|id| known.cameras.iter().all(|camera| camera.id != *id));
        others.sort();
        others.dedup();
        let others = others.into_iter().map(|id| KnownCamera {
            name: Names::of_id(&id),
            id,
            lines: vec![],
        });
        let cameras = known.cameras.iter().cloned().chain(others);
        Some(Device {
            site: row.site.clone(),
            site_name: directory.site(&row.site)?.name.clone(),
            device: row.device.clone(),
            name: known.name.clone(),
            known: known.known,
            status,
            since_ms: row.since_ms,
            version: row.version.clone(),
            models: row.models.clone(),
            bundle_version: row.bundle_version,
            outbox_depth: health.as_ref().map(|latest| latest.health.outbox_depth),
            clock_unsure: health.as_ref().is_some_and(|latest| latest.health.clock_unsure),
            trouble: health
                .as_ref()
                .filter(|_| status == DeviceStatus::Online)
                .and_then(|latest| latest.health.trouble.as_ref().map(code)),
            restarts: health.as_ref().map_or(0, |latest| latest.health.restarts),
            cameras: cameras
                .map(|camera| self.show_camera(row, status, &camera, today))
                .collect(),
        })
    }

    fn show_camera(&self, row: &DeviceRow, device: DeviceStatus, camera: &KnownCamera, today: &Today) -> Camera {
        let key = CameraKey {
            site: row.site.clone(),
            device: row.device.clone(),
            camera: camera.id.clone(),
        };
        let view = self.latest.view(&key);
        let (status, reason, fps) = self.camera_status(row, device, &camera.id);
        let lines = camera.lines.iter().map(|line| {
            let (in_today, out_today) = today.line(&LineKey {
                site: row.site.clone(),
                device: row.device.clone(),
                camera: camera.id.clone(),
                line: line.id.clone(),
            });
            LineCount {
                line: line.id.clone(),
                name: line.name.clone(),
                in_today,
                out_today,
            }
        });
        Camera {
            camera: camera.id.clone(),
            name: camera.name.clone(),
            status,
            reason,
            fps,
            shed: self.shed(row, device, &camera.id),
            view_url: view.as_ref().map(|view| key.view_url(view.header.at_ms)),
            view: view.map(|view| view.header),
            lines: lines.collect(),
        }
    }

    /// Frames that a camera of a device that is there gave up.
    fn shed(&self, row: &DeviceRow, device: DeviceStatus, camera: &CameraId) -> u64 {
        let latest = self
            .latest
            .health(&row.site, &row.device)
            .filter(|_| device == DeviceStatus::Online);
        latest
            .and_then(|latest| latest.camera(camera).map(|camera| camera.shed))
            .unwrap_or(0)
    }

    /// A camera of a device that is away is unknown, unless it had ended before the device stopped.
    fn camera_status(
        &self,
        row: &DeviceRow,
        device: DeviceStatus,
        camera: &CameraId,
    ) -> (CameraStatus, Option<String>, Option<f32>) {
        let unknown = (CameraStatus::Unknown, None, None);
        let Some(latest) = self.latest.health(&row.site, &row.device) else {
            return unknown;
        };
        let Some(health) = latest.camera(camera) else {
            return unknown;
        };
        let online = device == DeviceStatus::Online;
        match &health.status {
            vong_wire::CameraStatus::Ended => (CameraStatus::Ended, None, None),
            _ if !online => unknown,
            vong_wire::CameraStatus::Starting => (CameraStatus::Starting, None, None),
            vong_wire::CameraStatus::Live => (CameraStatus::Live, None, latest.fps(camera)),
            vong_wire::CameraStatus::Degraded { reason } => (CameraStatus::Degraded, Some(code(reason)), None),
        }
    }
}

/// The code of a trouble. One that this office does not know may be the free text of an old device, and name an address.
fn code(trouble: &vong_wire::Trouble) -> String {
    let known = match trouble {
        vong_wire::Trouble::Other(_) => None,
        known => serde_json::to_value(known).ok(),
    };
    let known = known.as_ref().and_then(|code| code.as_str());
    known.unwrap_or("other").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_wire::Trouble;

    #[test]
    fn the_page_is_told_codes_and_never_a_devices_own_text() {
        let read = |text: &str| serde_json::from_value::<Trouble>(text.into()).unwrap();
        assert_eq!(code(&read("wrong_password")), "wrong_password");
        assert_eq!(code(&read("no frame from rtsp://admin:secret@10.0.0.7")), "other");
    }
}
