//! The wiring of the appliance, from the cameras to the broker. Invariant: a decision is in the outbox before anything
//! acts on it; where the disk refuses it, the camera waits and says so. A camera that fails, fails alone.

use crate::camera::{CameraChain, Lists};
use crate::clock::{BootClock, Clock};
use crate::config::{CameraConfig, Config};
use crate::identify::{Gallery, PlateLists};
use crate::nets::{Needs, Nets};
use crate::outbox::{Draft, Outbox};
use crate::publish::{LatestViews, Publisher};
use crate::schedule::{Schedule, Work};
use crate::source::{self, FROZEN_AFTER, Frame, Next, SourceOptions, Stillness};
use crate::sync::Watchlists;
use crate::telemetry::{CameraTelemetry, rss_mib};
use crate::watchdog::{HANGS_AFTER, Notify, Progress};
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vong_models::{Manifest, Store};
use vong_wire::{BootId, CameraStatus, Health, WatchlistBundle};

/// How long `run --once` waits for central to commit what was seen.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);
/// Between attempts to write a decision to a disk that refuses it.
const DISK_RETRY: Duration = Duration::from_secs(1);

/// What a run did, printed at its end.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Messages put into the outbox, by kind.
    pub decided: Decided,
    /// Messages that central has not acknowledged.
    pub unacknowledged: u64,
    /// By camera.
    pub cameras: BTreeMap<String, CameraSummary>,
}

/// Messages by kind.
#[derive(Debug, Default, Serialize)]
pub struct Decided {
    /// Events.
    pub events: u64,
    /// Alerts.
    pub alerts: u64,
    /// Pictures of alerts.
    pub evidence: u64,
    /// Minutes of lines.
    pub counts: u64,
}

/// What a camera did.
#[derive(Debug, Serialize)]
pub struct CameraSummary {
    /// Frames that came.
    pub frames: u64,
    /// Frames that nobody looked at, because a newer one came first.
    pub frames_replaced: u64,
    /// From the first frame to the last decision, s.
    pub wall_s: f64,
    /// Length of what was played, by the frames' own clock, s.
    pub played_s: f64,
}

/// A camera as its workers share it.
struct Camera {
    config: CameraConfig,
    telemetry: Arc<CameraTelemetry>,
    chain: Mutex<CameraChain>,
    span: Mutex<Span>,
}

#[derive(Debug, Default)]
struct Span {
    first: Option<(Instant, i64)>,
    last: Option<(Instant, i64)>,
}

/// What all threads of a device share.
struct Device {
    cameras: Vec<Camera>,
    schedule: Schedule<Seen>,
    outbox: Arc<Outbox>,
    views: Arc<LatestViews>,
    lists: Mutex<Arc<Lists>>,
    decided: [AtomicU64; 4],
    progress: Progress,
    runtime: tokio::runtime::Handle,
    stop: CancellationToken,
}

/// A frame, or a cut before it.
struct Seen {
    frame: Frame,
    after_cut: bool,
}

/// Watches the cameras of a configuration until `stop`, or with `once` until every file has ended and central has
/// committed what was seen.
pub async fn run(config: Config, once: bool, stop: CancellationToken) -> anyhow::Result<Summary> {
    let store = Store::locate();
    let manifest = Manifest::load(config.models.manifest.as_deref())?;
    let workers = config
        .device
        .workers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let needs = Needs::of(&config);
    let nets = (0..workers)
        .map(|_| Nets::open(&store, &manifest, &config.models, needs, 1))
        .collect::<Result<Vec<_>, _>>()?;
    let embedding = nets[0]
        .faces
        .as_ref()
        .map(|(_, embedder)| (embedder.model().to_string(), embedder.default_threshold()));
    let names = nets[0].names();

    let clock: Arc<dyn Clock> = Arc::new(BootClock::default());
    let boot = BootId::generate();
    let outbox = Arc::new(Outbox::open(&config.device.data, config.device.outbox_mib << 20).await?);
    let watchlists = Arc::new(Watchlists::open(&config.device.data));
    let mut cameras = Vec::new();
    for camera in &config.cameras {
        let telemetry = Arc::new(CameraTelemetry::new(camera.id.clone()));
        let mut chain = CameraChain::new(camera.clone(), boot, telemetry.clone());
        for line in &camera.lines {
            let totals = outbox.totals(&camera.id, &line.id, clock.now_ms()).await?;
            chain.show_totals(&line.id, totals.entered, totals.left);
        }
        cameras.push(Camera {
            config: camera.clone(),
            telemetry,
            chain: Mutex::new(chain),
            span: Mutex::default(),
        });
    }
    let device = Arc::new(Device {
        schedule: Schedule::new(cameras.len()),
        cameras,
        outbox: outbox.clone(),
        views: Arc::new(LatestViews::default()),
        lists: Mutex::new(Arc::new(prepare(&watchlists.current(), embedding.as_ref()))),
        decided: Default::default(),
        progress: Progress::new(workers),
        runtime: tokio::runtime::Handle::current(),
        stop: stop.clone(),
    });

    let (bundles, incoming) = mpsc::channel(4);
    let publisher_stop = CancellationToken::new();
    let (site, device_id, broker) = Publisher::address(&config);
    let publisher = Publisher {
        site,
        device: device_id,
        broker,
        boot,
        models: names,
        outbox: outbox.clone(),
        views: device.views.clone(),
        clock: clock.clone(),
        health: health_report(device.clone(), boot, clock.clone(), config.device.data.clone()),
        health_every: Duration::from_secs(config.device.health_s),
        bundles,
        bundle_version: watchlists.version(),
        stop: publisher_stop.clone(),
    };
    let publishing = tokio::spawn(keep_publishing(publisher));
    let syncing = tokio::spawn(take_bundles(incoming, watchlists, device.clone(), embedding));

    let watching = tokio::spawn(keep_alive(device.clone(), Notify::from_environment()));
    watch(&device, nets, clock).await?;
    watching.abort();

    if once {
        let drained = tokio::time::timeout(DRAIN_WITHIN, outbox.drained()).await;
        if drained.is_err() {
            tracing::warn!(
                left = outbox.depth().await?,
                "central has not committed everything; it stays in the outbox"
            );
        }
    }
    publisher_stop.cancel();
    publishing.await.context("the publisher failed")?;
    syncing.abort();
    let summary = device.summary(outbox.depth().await?);
    outbox.close().await;
    Ok(summary)
}

/// Runs the camera threads and the workers until all cameras have ended or the device is to stop.
async fn watch(device: &Arc<Device>, nets: Vec<Nets>, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let mut threads = Vec::new();
    for (index, nets) in nets.into_iter().enumerate() {
        let device = device.clone();
        let worker = std::thread::Builder::new().name(format!("worker-{index}"));
        threads.push(worker.spawn(move || work(&device, index, nets))?);
    }
    let mut readers = Vec::new();
    for index in 0..device.cameras.len() {
        let (device, clock) = (device.clone(), clock.clone());
        let reader = std::thread::Builder::new().name(format!("camera-{}", device.cameras[index].config.id));
        readers.push(reader.spawn(move || read(&device, index, clock))?);
    }
    tokio::task::spawn_blocking(move || {
        for reader in readers {
            reader.join().map_err(|_| anyhow::anyhow!("a camera thread panicked"))?;
        }
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
        }
        Ok(())
    })
    .await?
}

/// Reads one camera until it ends or the device stops.
fn read(device: &Device, index: usize, clock: Arc<dyn Clock>) {
    let Camera { config, telemetry, .. } = &device.cameras[index];
    let options = SourceOptions {
        size: None,
        max_fps: Some(config.max_fps),
        stop: device.stop.clone(),
    };
    let opened = config
        .source()
        .map(|source| source::open(config.id.as_str(), &source, config.repeat, options, clock));
    let mut camera = match opened {
        Some(Ok(camera)) => camera,
        Some(Err(cause)) => return device.give_up(index, &cause),
        None => return device.schedule.end(index),
    };
    let (mut frame, mut after_cut) = (Frame::default(), false);
    let mut stillness = Stillness::default();
    loop {
        match camera.next(&mut frame) {
            Ok(Next::Frame) => {
                let frozen = config.file.is_none() && stillness.see(&frame) >= FROZEN_AFTER.as_secs_f64();
                if frozen {
                    let reason = format!(
                        "camera `{}` has shown the same picture for {} s; start it anew and look at its lens",
                        config.id,
                        FROZEN_AFTER.as_secs()
                    );
                    telemetry.count("frames_frozen", 1);
                    if telemetry.set_status(CameraStatus::Degraded { reason }) {
                        tracing::warn!(camera = %config.id, "the picture stands still");
                    }
                } else if telemetry.set_status(CameraStatus::Live) {
                    tracing::info!(camera = %config.id, "frames arrive");
                }
                let seen = Seen {
                    frame: frame.clone(),
                    after_cut: std::mem::take(&mut after_cut),
                };
                telemetry.frame(device.schedule.put(index, seen));
            }
            Ok(Next::Cut) => after_cut = true,
            Ok(Next::Lost(cause)) => {
                after_cut = true;
                if telemetry.set_status(CameraStatus::Degraded {
                    reason: cause.to_string(),
                }) {
                    tracing::warn!(camera = %config.id, %cause, "no frames; trying again");
                }
            }
            Ok(Next::Ended) => {
                telemetry.set_status(CameraStatus::Ended);
                return device.schedule.end(index);
            }
            Err(cause) => return device.give_up(index, &cause),
        }
    }
}

/// Takes the cameras in turn until the schedule closes.
fn work(device: &Device, worker: usize, mut nets: Nets) {
    while let Some((index, work)) = device.schedule.take() {
        device.progress.begin(worker);
        let camera = &device.cameras[index];
        let lists = device.lists.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut chain = camera.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let drafts = match work {
            Work::End => chain.finish(&lists),
            Work::Frame(Seen { frame, after_cut }) => {
                let mut drafts = if after_cut { chain.finish(&lists) } else { Vec::new() };
                match chain.frame(&frame, &mut nets, &lists) {
                    Ok(new) => drafts.extend(new),
                    Err(cause) => {
                        camera.telemetry.count("frames_failed", 1);
                        let reason = cause.to_string();
                        if camera.telemetry.set_status(CameraStatus::Degraded { reason }) {
                            tracing::error!(camera = %camera.config.id, %cause, "a frame could not be worked on");
                        }
                    }
                }
                if let Some(view) = chain.view(&frame) {
                    device.views.put(view);
                }
                camera.note(frame.at_ms);
                drafts
            }
        };
        // Waiting for a full disk is not hanging.
        device.progress.end(worker);
        device.keep(drafts, camera);
        drop(chain);
        device.schedule.done(index);
    }
}

impl Camera {
    fn note(&self, at_ms: i64) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (Instant::now(), at_ms);
        span.first.get_or_insert(now);
        span.last = Some(now);
    }
}

impl Device {
    /// Writes decisions to the outbox; where the disk refuses them, waits: a decision is never lost.
    fn keep(&self, drafts: Vec<Draft>, camera: &Camera) {
        if drafts.is_empty() {
            return;
        }
        let start = Instant::now();
        let mut said = false;
        while let Err(cause) = self.runtime.block_on(self.outbox.append(drafts.clone())) {
            if !std::mem::replace(&mut said, true) {
                tracing::error!(camera = %camera.config.id, %cause, "a decision cannot be kept; this camera waits");
            }
            let reason = cause.to_string();
            camera.telemetry.set_status(CameraStatus::Degraded { reason });
            if self.stop.is_cancelled() {
                return;
            }
            std::thread::sleep(DISK_RETRY);
        }
        camera
            .telemetry
            .count("outbox_wait_us", start.elapsed().as_micros() as u64);
        for draft in &drafts {
            let kind = match draft {
                Draft::Event(_) => 0,
                Draft::Alert(_) => 1,
                Draft::Evidence { .. } => 2,
                Draft::Count(_) => 3,
            };
            self.decided[kind].fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give_up(&self, index: usize, cause: &source::SourceError) {
        let camera = &self.cameras[index];
        tracing::error!(camera = %camera.config.id, %cause, "this camera cannot work; the others go on");
        camera.telemetry.set_status(CameraStatus::Degraded {
            reason: cause.to_string(),
        });
        self.schedule.end(index);
    }

    fn summary(&self, unacknowledged: u64) -> Summary {
        let [events, alerts, evidence, counts] = [0, 1, 2, 3].map(|kind| self.decided[kind].load(Ordering::Relaxed));
        let camera = |camera: &Camera| {
            let ever = camera.telemetry.ever();
            let span = camera.span.lock().unwrap_or_else(PoisonError::into_inner);
            let (wall_s, played_s) = match (span.first, span.last) {
                (Some(first), Some(last)) => ((last.0 - first.0).as_secs_f64(), (last.1 - first.1) as f64 / 1e3),
                _ => (0.0, 0.0),
            };
            let summary = CameraSummary {
                frames: ever.frames,
                frames_replaced: ever.frames_replaced,
                wall_s,
                played_s,
            };
            (camera.config.id.to_string(), summary)
        };
        Summary {
            decided: Decided {
                events,
                alerts,
                evidence,
                counts,
            },
            unacknowledged,
            cameras: self.cameras.iter().map(camera).collect(),
        }
    }
}

/// Tells systemd that all is well while every worker comes back from its frames; ends never.
async fn keep_alive(device: Arc<Device>, notify: Notify) {
    notify.ready();
    let mut every = tokio::time::interval(notify.every().unwrap_or(HANGS_AFTER / 2));
    let mut said = false;
    loop {
        every.tick().await;
        match device.progress.hanging(HANGS_AFTER) {
            None => {
                notify.alive();
                said = false;
            }
            Some(worker) if !std::mem::replace(&mut said, true) => {
                tracing::error!(
                    worker,
                    "a worker hangs in a frame; systemd will start this program anew"
                );
            }
            Some(_) => {}
        }
    }
}

/// A publisher that cannot read its outbox tries again: the disk may come back.
async fn keep_publishing(mut publisher: Publisher) {
    let mut backoff = crate::publish::Backoff::default();
    while let Err(cause) = publisher.run().await {
        tracing::error!(%cause, "the outbox cannot be read; nothing is published until it can");
        tokio::select! {
            () = publisher.stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next(&mut rand::rng())) => {}
        }
    }
}

async fn take_bundles(
    mut incoming: mpsc::Receiver<WatchlistBundle>,
    watchlists: Arc<Watchlists>,
    device: Arc<Device>,
    embedding: Option<(String, f32)>,
) {
    while let Some(bundle) = incoming.recv().await {
        match watchlists.replace(bundle) {
            Ok(true) => {
                let lists = Arc::new(prepare(&watchlists.current(), embedding.as_ref()));
                *device.lists.lock().unwrap_or_else(PoisonError::into_inner) = lists;
                tracing::info!(version = watchlists.current().version, "watchlists are in force");
            }
            Ok(false) => tracing::debug!("watchlists came that are not newer"),
            Err(cause) => tracing::error!(%cause, "watchlists came but cannot be kept; the old ones stay in force"),
        }
    }
}

fn prepare(bundle: &WatchlistBundle, embedding: Option<&(String, f32)>) -> Lists {
    let gallery = embedding.map_or_else(Gallery::default, |(model, threshold)| {
        let (gallery, faults) = Gallery::new(bundle, model, *threshold);
        for fault in faults {
            tracing::error!(%fault, "a watchlist cannot be searched");
        }
        gallery
    });
    Lists {
        gallery,
        plates: PlateLists::new(bundle),
    }
}

fn health_report(
    device: Arc<Device>,
    boot: BootId,
    clock: Arc<dyn Clock>,
    data: std::path::PathBuf,
) -> crate::publish::HealthReport {
    Box::new(move |outbox_depth, outbox| Health {
        boot,
        at_ms: clock.now_ms(),
        cameras: device.cameras.iter().map(|camera| camera.telemetry.drain()).collect(),
        outbox_depth,
        outbox: Some(outbox),
        disk_free_mib: crate::telemetry::disk_free_mib(&data),
        rss_mib: rss_mib(),
    })
}
