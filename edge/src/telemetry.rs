//! What a camera's stages did since the last health message. Invariant: whatever is skipped, dropped or refused is
//! counted here under a name; nothing here can identify a person.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vong_wire::{CameraHealth, CameraId, CameraStatus, StageTime, Trouble};

/// For how long a camera is said to have been restarted: longer than between two health messages.
const RESTART_SHOWN: Duration = Duration::from_secs(60);

/// The telemetry of one camera, shared by its source, its workers and the health report.
#[derive(Debug)]
pub struct CameraTelemetry {
    camera: CameraId,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// As its source has it.
    status: CameraStatus,
    /// What is wrong with the work on its frames.
    trouble: Option<Trouble>,
    /// When a stage of it hung and was restarted.
    restarted: Option<Instant>,
    since: Counted,
    ever: Counted,
}

/// How long something took, by powers of the fourth root of two, from a tenth of a millisecond: memory stays the same
/// however often it is noted.
#[derive(Debug, Clone)]
pub struct Durations([u32; 80]);

impl Default for Durations {
    fn default() -> Self {
        Self([0; 80])
    }
}

impl Durations {
    const LEAST_MS: f64 = 0.1;

    fn note(&mut self, took: Duration) {
        let steps = (took.as_secs_f64() * 1e3 / Self::LEAST_MS).max(1.0).log2() * 4.0;
        self.0[(steps as usize).min(79)] += 1;
    }

    /// Takes in those of another.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own += other);
    }

    /// What this share of them stayed below, ms; at most a fifth too much.
    pub fn share_ms(&self, share: f64) -> f64 {
        let all: u64 = self.0.iter().map(|n| u64::from(*n)).sum();
        let mut left = (share * all as f64).ceil() as u64;
        let bucket = self.0.iter().position(|n| {
            left = left.saturating_sub(u64::from(*n));
            left == 0
        });
        Self::LEAST_MS * 2_f64.powf((bucket.unwrap_or(79) + 1) as f64 / 4.0)
    }
}

/// Counters and times of a period.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    /// Frames taken in.
    pub frames: u64,
    /// Frames replaced by a newer one.
    pub frames_replaced: u64,
    /// Frames given up on purpose.
    pub frames_shed: u64,
    /// By name.
    pub counters: BTreeMap<&'static str, u64>,
    /// From the arrival of a frame until what follows from it is in the outbox.
    pub decided: Durations,
    /// Runs and time by stage.
    pub stages: BTreeMap<&'static str, (u64, Duration)>,
}

impl Counted {
    /// Frames that were worked on: neither replaced nor given up.
    pub fn worked_on(&self) -> u64 {
        self.frames.saturating_sub(self.frames_replaced + self.frames_shed)
    }

    /// Takes in those of another.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.frames_replaced += other.frames_replaced;
        self.frames_shed += other.frames_shed;
        for (name, times) in &other.counters {
            *self.counters.entry(name).or_default() += times;
        }
        self.decided.add(&other.decided);
        for (stage, (runs, time)) in &other.stages {
            let own = self.stages.entry(stage).or_default();
            *own = (own.0 + runs, own.1 + *time);
        }
    }
}

impl CameraTelemetry {
    /// A camera that is being opened.
    pub fn new(camera: CameraId) -> Self {
        let inner = Inner {
            status: CameraStatus::Starting,
            trouble: None,
            restarted: None,
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

    /// One frame came and was given up, because there is more to do than can be done.
    pub fn shed(&self) {
        self.lock().each(|counted| {
            counted.frames += 1;
            counted.frames_shed += 1;
        });
    }

    /// What follows from a frame is in the outbox, so long after it came.
    pub fn decided(&self, took: Duration) {
        self.lock().each(|counted| counted.decided.note(took));
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

    /// Sets how the camera is as its source has it; says whether that is news.
    pub fn set_status(&self, status: CameraStatus) -> bool {
        let mut inner = self.lock();
        let news = inner.status != status;
        inner.status = status;
        news
    }

    /// Sets what is wrong with the work on its frames, however well they arrive; says whether that is news.
    pub fn set_trouble(&self, trouble: Option<Trouble>) -> bool {
        let mut inner = self.lock();
        let news = inner.trouble != trouble;
        inner.trouble = trouble;
        news
    }

    /// A stage of it hung, and the camera begins anew: that is counted and shown for a while, or nobody would see it.
    pub fn restarted(&self, now: Instant) {
        self.count("stage_restarts", 1);
        self.lock().restarted = Some(now);
    }

    /// How the camera is.
    pub fn status(&self) -> CameraStatus {
        self.lock().status(Instant::now())
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
            status: inner.status(Instant::now()),
            frames: since.frames,
            frames_replaced: since.frames_replaced,
            shed: since.frames_shed,
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
    /// A camera without frames is worse than one whose frames cannot be worked on.
    fn status(&self, now: Instant) -> CameraStatus {
        let restarted = self
            .restarted
            .filter(|at| now.saturating_duration_since(*at) < RESTART_SHOWN);
        match (&self.status, &self.trouble, restarted) {
            (CameraStatus::Live, Some(trouble), _) => CameraStatus::Degraded {
                reason: trouble.clone(),
            },
            (CameraStatus::Live, None, Some(_)) => CameraStatus::Degraded {
                reason: Trouble::Restarted,
            },
            (status, ..) => status.clone(),
        }
    }

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
    fn shares_of_durations_are_near() {
        let mut durations = Durations::default();
        (1..=1000).for_each(|ms| durations.note(Duration::from_millis(ms)));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0)] {
            let found = durations.share_ms(share);
            assert!((ms..ms * 1.2).contains(&found), "{found} for {ms}");
        }
    }

    #[test]
    fn what_several_cameras_did_adds_up() {
        let camera = |frames: u64, stage, ms| {
            let telemetry = CameraTelemetry::new(CameraId::new("gate").unwrap());
            (0..frames).for_each(|number| telemetry.frame(number == 1));
            telemetry.shed();
            telemetry.count("crossings", frames);
            telemetry.decided(Duration::from_millis(ms));
            let mut counted = telemetry.ever();
            counted.stages.insert(stage, (frames, Duration::from_millis(ms)));
            counted
        };
        let mut all = Counted::default();
        for counted in [camera(1, "detect", 10), camera(3, "detect", 20), camera(4, "embed", 40)] {
            all.add(&counted);
        }
        assert_eq!((all.frames, all.frames_replaced, all.frames_shed), (11, 2, 3));
        assert_eq!((all.worked_on(), all.counters["crossings"]), (6, 8));
        assert_eq!(all.stages["detect"], (4, Duration::from_millis(30)));
        assert_eq!(all.stages["embed"], (4, Duration::from_millis(40)));
        assert!((40.0..50.0).contains(&all.decided.share_ms(1.0)));
    }

    #[test]
    fn frames_that_go_on_arriving_do_not_hide_that_they_cannot_be_worked_on() {
        let telemetry = CameraTelemetry::new(CameraId::new("gate").unwrap());
        let degraded = |reason| CameraStatus::Degraded { reason };
        telemetry.set_status(CameraStatus::Live);
        assert!(telemetry.set_trouble(Some(Trouble::DiskRefuses)));
        assert!(!telemetry.set_trouble(Some(Trouble::DiskRefuses)));
        telemetry.set_status(CameraStatus::Live);
        assert_eq!(telemetry.drain().status, degraded(Trouble::DiskRefuses));
        telemetry.set_status(degraded(Trouble::NoFrames));
        assert_eq!(telemetry.status(), degraded(Trouble::NoFrames));
        telemetry.set_status(CameraStatus::Live);
        telemetry.set_trouble(None);
        assert_eq!(telemetry.status(), CameraStatus::Live);
    }

    #[test]
    fn a_restart_is_shown_for_a_minute_and_counted() {
        let telemetry = CameraTelemetry::new(CameraId::new("gate").unwrap());
        let now = Instant::now();
        telemetry.set_status(CameraStatus::Live);
        telemetry.restarted(now);
        let degraded = |reason| CameraStatus::Degraded { reason };
        let shown = |at| telemetry.lock().status(at);
        assert_eq!(shown(now), degraded(Trouble::Restarted));
        telemetry.set_trouble(Some(Trouble::DiskRefuses));
        assert_eq!(
            shown(now),
            degraded(Trouble::DiskRefuses),
            "what is wrong now comes first"
        );
        telemetry.set_trouble(None);
        assert_eq!(shown(now + RESTART_SHOWN), CameraStatus::Live);
        assert_eq!(telemetry.drain().counters["stage_restarts"], 1);
    }

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
        telemetry.shed();
        let second = telemetry.drain();
        assert_eq!((second.frames, second.counters.len(), second.stages.len()), (2, 0, 0));
        assert_eq!((first.shed, second.shed), (0, 1));
        assert_eq!(telemetry.ever().frames, 4);
        assert!(rss_mib() > 0 && disk_free_mib(std::path::Path::new("/")) > 0);
    }
}
