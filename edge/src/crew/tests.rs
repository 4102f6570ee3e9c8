//! Stages that hang. A test hangs them by the device's own hook for that, with little patience; nothing waits for a time.

use super::*;
use crate::camera::Books;
use crate::config::CameraConfig;
use crate::device::Camera;
use crate::outbox::{DEFAULT_LIMIT_BYTES, Outbox};
use crate::telemetry::CameraTelemetry;
use crate::watchdog::MOST_RESTARTS;
use crossbeam_channel::{Receiver, bounded};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;
use vong_wire::{BootId, CameraStatus};

const HANGS: usize = 1;
const SHORT: Patience = Patience {
    frame: Duration::from_millis(40),
    disk: Duration::from_secs(1_000),
};

fn nets() -> Nets {
    Nets {
        objects: None,
        faces: None,
        plates: None,
    }
}

fn camera(id: &str, boot: BootId) -> Camera {
    let text = format!("id = \"{id}\"\nfile = \"none\"\n[[line]]\nid = \"main\"\npoints = [0.5, 0.0, 0.5, 1.0]\n");
    let config: CameraConfig = toml::from_str(&text).unwrap();
    let telemetry = Arc::new(CameraTelemetry::new(config.id.clone()));
    telemetry.set_status(CameraStatus::Live);
    let books = Books::new(&config, boot);
    Camera::new(config, telemetry, books)
}

/// Three cameras with two workers, the second of which hangs where `hangs` says so.
struct Gate {
    device: Arc<Device>,
    outbox: Arc<Outbox>,
    /// Turns begun, by camera.
    begun: Arc<[AtomicUsize; 3]>,
    /// Hangs of the second camera that are to come.
    to_hang: Arc<AtomicUsize>,
    /// Ends the hangs when it is dropped.
    release: Sender<()>,
    crew: std::thread::JoinHandle<anyhow::Result<()>>,
    _folder: tempfile::TempDir,
}

impl Gate {
    async fn open() -> Self {
        Self::open_with(|| (), SHORT).await
    }

    /// `opening` is what a worker that takes another's place waits for before it has its models.
    async fn open_with(opening: impl Fn() + Send + Sync + 'static, patience: Patience) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Arc::new(Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap());
        let (boot, stop) = (BootId::generate(), CancellationToken::new());
        let cameras = ["a", "b", "c"].map(|id| camera(id, boot)).into();
        let mut device = Device::new(cameras, outbox.clone(), Lists::default(), 2, stop);
        let (release, held): (_, Receiver<()>) = bounded(0);
        let (begun, to_hang): (Arc<[AtomicUsize; 3]>, Arc<AtomicUsize>) = Default::default();
        let (counted, left) = (begun.clone(), to_hang.clone());
        device.hang = Some(Box::new(move |index| {
            counted[index].fetch_add(1, Ordering::SeqCst);
            if index == HANGS && left.load(Ordering::SeqCst) > 0 {
                left.fetch_sub(1, Ordering::SeqCst);
                let _ = held.recv();
            }
        }));
        let device = Arc::new(device);
        let crew = Crew {
            nets: vec![nets(), nets()],
            open: Arc::new(move || {
                opening();
                Ok(nets())
            }),
            patience,
        };
        let run = device.clone();
        Self {
            crew: std::thread::spawn(move || super::run(&run, crew)),
            device,
            outbox,
            begun,
            to_hang,
            release,
            _folder: folder,
        }
    }

    /// Gives a camera a frame of a time and waits until a worker has it.
    fn see(&self, index: usize, at_s: i64) {
        let frame = Frame {
            image: image::RgbImage::new(64, 48),
            at_ms: at_s * 1_000,
            at_s: at_s as f64,
            ..Frame::default()
        };
        let seen = Seen {
            frame,
            after_cut: false,
            shed: 0,
            came: Instant::now(),
        };
        let before = self.begun[index].load(Ordering::SeqCst);
        assert!(self.device.schedule.put(index, seen).is_none());
        until(|| self.begun[index].load(Ordering::SeqCst) > before);
    }

    /// All cameras end, then what hangs comes back; what was decided.
    async fn end(self) -> (Arc<Device>, Vec<Draft>) {
        for index in 0..3 {
            self.device.schedule.end(index);
        }
        let crew = self.crew;
        tokio::task::spawn_blocking(|| crew.join().unwrap().unwrap())
            .await
            .unwrap();
        drop(self.release);
        let device = self.device;
        // Every thread holds the device until its very end.
        until(|| Arc::strong_count(&device) == 1);
        let due = self.outbox.due(&HashSet::new(), 100).await.unwrap();
        (device, due.into_iter().map(|pending| pending.draft).collect())
    }
}

/// Waits for what other threads bring about.
fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come about");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_hangs_is_restarted_and_the_others_do_not_notice() {
    let gate = Gate::open().await;
    let device = gate.device.clone();
    let hung = &device.cameras[HANGS];
    gate.see(HANGS, 60);
    gate.to_hang.store(1, Ordering::SeqCst);
    gate.see(HANGS, 61);
    for at_s in 60..65 {
        gate.see(0, at_s);
        gate.see(2, at_s);
    }
    until(|| device.restarts.ever() == 1);
    let reason = Trouble::Restarted;
    until(|| hung.telemetry.status() == CameraStatus::Degraded { reason: reason.clone() });
    assert_eq!(device.cameras[0].telemetry.status(), CameraStatus::Live);
    assert!(!device.restarts.degraded(Instant::now()), "once is no sickness");

    // The camera is back, and so is the second worker: the next minute begins, and ends the one before.
    gate.see(HANGS, 62);
    gate.see(HANGS, 125);
    drop(device);
    let (device, drafts) = gate.end().await;
    let health = device.cameras[HANGS].telemetry.drain();
    assert_eq!(health.counters.get("stage_restarts"), Some(&1));
    let others = [0, 2].map(|index| device.cameras[index].telemetry.drain().counters);
    assert!(others.iter().all(|counters| !counters.contains_key("stage_restarts")));
    // What came back touched nothing: the last frame that the camera remembers is the last one.
    let summary = device.summary(0);
    assert!((summary.cameras["b"].played_s - 65.0).abs() < 1e-9, "{summary:?}");
    // Of its first minute the frames before and after the hang are counted, once.
    let minutes: Vec<_> = drafts
        .iter()
        .filter_map(|draft| match draft {
            Draft::Count(count) if count.camera.as_str() == "b" => {
                Some((count.minute_ms, (count.coverage * 60.0).round()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(minutes, [(60_000, 2.0), (120_000, 1.0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_again_and_again_makes_the_box_say_so_and_is_restarted_no_more() {
    let gate = Gate::open().await;
    let device = gate.device.clone();
    gate.to_hang.store(usize::MAX, Ordering::SeqCst);
    for times in 1..=MOST_RESTARTS + 1 {
        assert!(!device.restarts.degraded(Instant::now()), "before restart {times}");
        gate.see(HANGS, 60 + times as i64);
        until(|| device.restarts.ever() == times as u64);
    }
    assert!(device.restarts.degraded(Instant::now()));
    gate.see(0, 60);
    gate.see(HANGS, 70);
    until(|| device.progress.hanging(SHORT).next().is_some());
    let health = crate::pipeline::health_of(&device);
    assert_eq!(health, (Some(Trouble::Hangs), MOST_RESTARTS as u64 + 1));
    // The others go on with the worker that is left; who stops does not wait for the hang.
    gate.see(0, 61);
    gate.to_hang.store(0, Ordering::SeqCst);
    device.stop.cancel();
    drop(device);
    let (device, _) = gate.end().await;
    assert_eq!(device.restarts.ever(), MOST_RESTARTS as u64 + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_models_do_not_open_makes_the_box_say_so_until_they_do() {
    let (opened, held): (_, Receiver<()>) = bounded(0);
    let opening = move || {
        let _ = held.recv();
    };
    let gate = Gate::open_with(
        opening,
        Patience {
            disk: SHORT.frame,
            ..SHORT
        },
    )
    .await;
    let device = gate.device.clone();
    gate.to_hang.store(1, Ordering::SeqCst);
    gate.see(HANGS, 60);
    until(|| crate::pipeline::health_of(&device) == (Some(Trouble::Hangs), 1));
    // The worker that is left takes all cameras meanwhile, the one that hung as well.
    for index in 0..3 {
        gate.see(index, 61);
    }
    drop(opened);
    until(|| crate::pipeline::health_of(&device) == (None, 1));
    gate.see(HANGS, 62);
    drop(device);
    let (device, _) = gate.end().await;
    assert_eq!(device.restarts.ever(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_panics_is_replaced_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Arc::new(Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap());
    let cameras = vec![camera("a", BootId::generate())];
    let mut device = Device::new(cameras, outbox, Lists::default(), 1, CancellationToken::new());
    let first = AtomicUsize::new(0);
    device.hang = Some(Box::new(move |_| {
        assert!(
            first.fetch_add(1, Ordering::SeqCst) > 0,
            "a fault of a stage, as the test wants it"
        );
    }));
    let device = Arc::new(device);
    let crew = Crew {
        nets: vec![nets()],
        open: Arc::new(|| Ok(nets())),
        // Only the panic itself can tell.
        patience: Patience {
            frame: Duration::from_secs(1_000),
            disk: Duration::from_secs(1_000),
        },
    };
    device.schedule.put(
        0,
        Seen {
            frame: Frame::default(),
            after_cut: false,
            shed: 0,
            came: Instant::now(),
        },
    );
    device.schedule.end(0);
    let run = device.clone();
    let ended = tokio::task::spawn_blocking(move || super::run(&run, crew));
    ended.await.unwrap().unwrap();
    assert_eq!(device.restarts.ever(), 1);
}
