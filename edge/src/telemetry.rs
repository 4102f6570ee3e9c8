//! What a camera's stages did since the last health message. Invariant: whatever is skipped, dropped or refused is
//! counted here under a name; nothing here can identify a person.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vong_wire::{CameraHealth, CameraId, CameraStatus, StageTime};

/// The telemetry of one camera, shared by its source, its workers and the health report.
#[derive(Debug)]
pub struct CameraTelemetry {
    camera: CameraId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    status: CameraStatus,
    since: Counted,
    ever: Counted,
}

/// Counters and times of a period.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    /// Frames taken in.
    pub frames: u64,
    /// Frames replaced by a newer one.
    pub frames_replaced: u64,
    /// By name.
    pub counters: BTreeMap<&'static str, u64>,
    stages: BTreeMap<&'static str, (u64, Duration)>,
}

impl CameraTelemetry {
    /// A camera that is being opened.
    pub fn new(camera: CameraId) -> Self {
        let inner = Inner {
            status: CameraStatus::Starting,
            since: Counted::default(),
            ever: Counted::default(),
        };
        Self {
            camera,
            inner: Mutex::new(inner),
        }
    }

    /// One frame came; `replaced` says whether it pushed out one that nobody had looked at.
    pub fn frame(&self, replaced: bool) {
        let mut inner = self.lock();
        inner.each(|counted| {
            counted.frames += 1;
            counted.frames_replaced += u64::from(replaced);
        });
    }

    /// Something happened `times` times.
    pub fn count(&self, name: &'static str, times: u64) {
        if times > 0 {
            self.lock()
                .each(|counted| *counted.counters.entry(name).or_default() += times);
        }
    }

    /// Runs a stage and notes its time.
    pub fn timed<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        let spent = start.elapsed();
        self.lock().each(|counted| {
            let (runs, time) = counted.stages.entry(stage).or_default();
            *runs += 1;
            *time += spent;
        });
        result
    }

    /// Sets how the camera is; says whether that is news.
    pub fn set_status(&self, status: CameraStatus) -> bool {
        let mut inner = self.lock();
        let news = inner.status != status;
        inner.status = status;
        news
    }

    /// How the camera is.
    pub fn status(&self) -> CameraStatus {
        self.lock().status.clone()
    }

    /// Everything since the start of the device.
    pub fn ever(&self) -> Counted {
        self.lock().ever.clone()
    }

    /// What happened since the last call, as it goes into a health message.
    pub fn drain(&self) -> CameraHealth {
        let mut inner = self.lock();
        let since = std::mem::take(&mut inner.since);
        let mean = |(runs, time): (u64, Duration)| StageTime {
            runs,
            mean_ms: time.as_secs_f32() * 1e3 / runs.max(1) as f32,
        };
        CameraHealth {
            camera: self.camera.clone(),
            status: inner.status.clone(),
            frames: since.frames,
            frames_replaced: since.frames_replaced,
            counters: since
                .counters
                .into_iter()
                .map(|(name, times)| (name.to_string(), times))
                .collect(),
            stages: since
                .stages
                .into_iter()
                .map(|(name, spent)| (name.to_string(), mean(spent)))
                .collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn each(&mut self, change: impl Fn(&mut Counted)) {
        change(&mut self.since);
        change(&mut self.ever);
    }
}

/// Resident memory of this process, MiB; nought where the system does not tell.
pub fn rss_mib() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| {
        text.split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse::<u64>().ok())
    });
    pages.unwrap_or(0) * 4096 / (1024 * 1024)
}

/// Free space for ordinary users where a folder lies, MiB; nought where the system does not tell.
pub fn disk_free_mib(folder: &std::path::Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_message_holds_what_is_new_and_the_totals_stay() {
        let telemetry = CameraTelemetry::new(CameraId::new("gate").unwrap());
        telemetry.frame(false);
        telemetry.frame(true);
        telemetry.count("shot_refused_blur", 2);
        telemetry.timed("detect", || ());
        let first = telemetry.drain();
        assert_eq!(
            (first.frames, first.frames_replaced, first.counters["shot_refused_blur"]),
            (2, 1, 2)
        );
        assert_eq!(first.stages["detect"].runs, 1);
        telemetry.frame(false);
        let second = telemetry.drain();
        assert_eq!((second.frames, second.counters.len(), second.stages.len()), (1, 0, 0));
        assert_eq!(telemetry.ever().frames, 3);
        assert!(rss_mib() > 0 && disk_free_mib(std::path::Path::new("/")) > 0);
    }
}
