//! The cameras of a device at work: a thread a camera that reads, workers that take the cameras in turn. Invariant: a
//! decision is in the outbox before anything acts on it; where the disk refuses it, the camera waits and says so. A
//! camera that fails, fails alone. Pictures go round between reader and worker: none is copied, none made anew.

use crate::camera::{Books, CameraChain, Lists};
use crate::clock::Clock;
use crate::config::CameraConfig;
use crate::crew::{self, Crew};
use crate::outbox::{Draft, Outbox};
use crate::publish::LatestViews;
use crate::schedule::Schedule;
use crate::shed::Shedding;
use crate::source::{self, FROZEN_AFTER, Frame, Next, SourceOptions, Stillness};
use crate::telemetry::CameraTelemetry;
use crate::watchdog::{At, Progress, Restarts, Worker};
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vong_wire::{CameraStatus, Trouble};

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
pub(crate) struct Camera {
    pub(crate) config: CameraConfig,
    pub(crate) telemetry: Arc<CameraTelemetry>,
    /// Its stages, unless a worker has them.
    chain: Mutex<Option<Box<CameraChain>>>,
    /// As they stood after the last frame that was worked on to its end.
    books: Mutex<Books>,
    span: Mutex<Span>,
    /// Pictures that were worked on, to be filled again.
    spare: Mutex<Vec<Frame>>,
}

#[derive(Debug, Default)]
struct Span {
    first: Option<(Instant, i64)>,
    last: Option<(Instant, i64)>,
}

/// What all threads of a device share.
pub(crate) struct Device {
    pub(crate) cameras: Vec<Camera>,
    pub(crate) schedule: Schedule<Seen>,
    outbox: Arc<Outbox>,
    pub(crate) views: Arc<LatestViews>,
    pub(crate) lists: Mutex<Arc<Lists>>,
    decided: [AtomicU64; 4],
    pub(crate) progress: Progress,
    pub(crate) restarts: Restarts,
    pub(crate) shedding: Shedding,
    runtime: tokio::runtime::Handle,
    pub(crate) stop: CancellationToken,
    /// Lets a test hang a stage of a camera.
    #[cfg(test)]
    pub(crate) hang: Option<Box<dyn Fn(usize) + Send + Sync>>,
}

/// A frame, or a cut before it.
pub(crate) struct Seen {
    pub(crate) frame: Frame,
    pub(crate) after_cut: bool,
    /// Frames before it that were given up.
    pub(crate) shed: u32,
    pub(crate) came: Instant,
}

/// Runs the camera threads and the workers until all cameras have ended or the device is to stop.
pub(crate) async fn watch(device: &Arc<Device>, crew: Crew, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let objects = crew.nets.first().and_then(|nets| nets.objects.as_ref());
    let detector = objects.map(|objects| objects.size());
    let (tell, told) = tokio::sync::oneshot::channel();
    let supervised = device.clone();
    // A thread of its own: a runtime that ends would wait for a task.
    let supervisor = std::thread::Builder::new().name("supervisor".into());
    supervisor.spawn(move || drop(tell.send(crew::run(&supervised, crew))))?;
    let mut readers = Vec::new();
    for index in 0..device.cameras.len() {
        let (device, clock) = (device.clone(), clock.clone());
        let reader = std::thread::Builder::new().name(format!("camera-{}", device.cameras[index].config.id));
        readers.push(reader.spawn(move || read(&device, index, detector, clock))?);
    }
    let reading = tokio::task::spawn_blocking(move || {
        let joined = readers.into_iter().map(|reader| reader.join());
        joined.collect::<Result<Vec<()>, _>>()
    });
    let reading = async {
        let read = reading.await?;
        read.map(drop).map_err(|_| anyhow::anyhow!("a camera thread panicked"))
    };
    let working = async { told.await.context("the supervisor panicked")? };
    let done = tokio::try_join!(reading, working);
    if done.is_err() {
        device.stop.cancel();
    }
    done.map(drop)
}

/// Reads one camera until it ends or the device stops.
fn read(device: &Device, index: usize, detector: Option<[usize; 2]>, clock: Arc<dyn Clock>) {
    let camera = &device.cameras[index];
    let Camera { config, telemetry, .. } = camera;
    let options = SourceOptions {
        region: config.region,
        size: None,
        within: config.picture_within(detector),
        raw: true,
        max_fps: Some(config.max_fps),
        stop: device.stop.clone(),
    };
    let opened = config
        .source()
        .map(|source| source::open(config.id.as_str(), &source, config.repeat, options, clock));
    let mut source = match opened {
        Some(Ok(source)) => source,
        Some(Err(cause)) => return device.give_up(index, &cause),
        None => return device.schedule.end(index),
    };
    let (mut frame, mut after_cut) = (Frame::default(), false);
    let mut stillness = Stillness::default();
    let (mut taken_s, mut shed) = (None, 0);
    loop {
        match source.next(&mut frame) {
            Ok(Next::Frame) => {
                let frozen = config.file.is_none() && stillness.see(&frame) >= FROZEN_AFTER.as_secs_f64();
                if frozen {
                    let reason = Trouble::Frozen;
                    telemetry.count("frames_frozen", 1);
                    if telemetry.set_status(CameraStatus::Degraded { reason }) {
                        tracing::warn!(camera = %config.id, "the picture stands still");
                    }
                } else if telemetry.set_status(CameraStatus::Live) {
                    tracing::info!(camera = %config.id, "frames arrive");
                }
                if !device.shedding.takes(index, frame.at_s, taken_s) {
                    telemetry.shed();
                    shed += 1;
                    device.came(false);
                    continue;
                }
                taken_s = Some(frame.at_s);
                let seen = Seen {
                    shed: std::mem::take(&mut shed),
                    frame: std::mem::replace(&mut frame, camera.spare()),
                    after_cut: std::mem::take(&mut after_cut),
                    came: Instant::now(),
                };
                let replaced = device.schedule.put(index, seen);
                telemetry.frame(replaced.is_some());
                device.came(replaced.is_some());
                if let Some(old) = replaced {
                    after_cut |= old.after_cut;
                    shed += old.shed;
                    camera.give_back(old.frame);
                }
            }
            Ok(Next::Cut) => after_cut = true,
            Ok(Next::Lost(cause)) => {
                after_cut = true;
                if telemetry.set_status(CameraStatus::Degraded {
                    reason: cause.trouble(),
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

impl Camera {
    pub(crate) fn new(config: CameraConfig, telemetry: Arc<CameraTelemetry>, books: Books) -> Self {
        Self {
            chain: Mutex::default(),
            books: Mutex::new(books),
            config,
            telemetry,
            span: Mutex::default(),
            spare: Mutex::default(),
        }
    }

    /// Its stages, for a worker whose turn it is; opened anew, with its books, where they were lost.
    pub(crate) fn take_chain(&self) -> Box<CameraChain> {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner).take();
        let anew = || {
            let books = self.books.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Box::new(CameraChain::new(self.config.clone(), books, self.telemetry.clone()))
        };
        chain.unwrap_or_else(anew)
    }

    /// Gives them back after a turn from which these drafts followed.
    pub(crate) fn put_back(&self, chain: Box<CameraChain>, drafts: &[Draft]) {
        chain.keep_books(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner), drafts);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain);
    }

    fn spare(&self) -> Frame {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, frame: Frame) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(frame);
    }

    pub(crate) fn note(&self, at_ms: i64) {
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (Instant::now(), at_ms);
        span.first.get_or_insert(now);
        span.last = Some(now);
    }
}

impl Device {
    pub(crate) fn new(
        cameras: Vec<Camera>,
        outbox: Arc<Outbox>,
        lists: Lists,
        workers: usize,
        stop: CancellationToken,
    ) -> Self {
        Self {
            schedule: Schedule::new(cameras.len()),
            shedding: Shedding::new(cameras.iter().map(|camera| camera.config.priority), workers),
            cameras,
            outbox,
            views: Arc::new(LatestViews::default()),
            lists: Mutex::new(Arc::new(lists)),
            decided: Default::default(),
            progress: Progress::new(workers),
            restarts: Restarts::default(),
            runtime: tokio::runtime::Handle::current(),
            stop,
            #[cfg(test)]
            hang: None,
        }
    }

    /// Puts other lists in force.
    pub(crate) fn set_lists(&self, lists: Lists) {
        *self.lists.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(lists);
    }

    /// A worker hung with a camera: its stages are opened anew, and others may take it.
    pub(crate) fn begin_anew(&self, index: usize) {
        let camera = &self.cameras[index];
        tracing::error!(camera = %camera.config.id, "a stage made no progress; its worker is given up and the camera begins anew");
        camera.telemetry.restarted(Instant::now());
        self.schedule.done(index);
    }

    #[cfg(test)]
    pub(crate) fn before_work(&self, index: usize) {
        if let Some(hang) = &self.hang {
            hang(index);
        }
    }

    /// Writes decisions to the outbox; where the disk refuses them, waits: a decision is never lost. To be refused is not to
    /// hang, but to hear nothing is.
    pub(crate) fn keep(&self, drafts: &[Draft], index: usize, worker: Worker) {
        if drafts.is_empty() {
            return;
        }
        let camera = &self.cameras[index];
        let start = Instant::now();
        let mut said = false;
        loop {
            self.progress.begin(worker, At::Disk(index));
            let kept = self.runtime.block_on(self.outbox.append(drafts.to_vec()));
            self.progress.end(worker);
            let Err(cause) = kept else {
                break;
            };
            if !std::mem::replace(&mut said, true) {
                tracing::error!(camera = %camera.config.id, %cause, "a decision cannot be kept; this camera waits");
            }
            camera.telemetry.set_trouble(Some(Trouble::DiskRefuses));
            if self.stop.is_cancelled() {
                return;
            }
            std::thread::sleep(DISK_RETRY);
        }
        if said {
            camera.telemetry.set_trouble(None);
            tracing::info!(camera = %camera.config.id, "decisions are kept again");
        }
        camera
            .telemetry
            .count("outbox_wait_us", start.elapsed().as_micros() as u64);
        for draft in drafts {
            let kind = match draft {
                Draft::Event(_) => 0,
                Draft::Alert(_) => 1,
                Draft::Evidence { .. } => 2,
                Draft::Count(_) => 3,
            };
            self.decided[kind].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A frame came; perhaps it shows that there is too much to do, or room again.
    fn came(&self, replaced: bool) {
        let Some((index, level)) = self.shedding.came(replaced, Instant::now()) else {
            return;
        };
        let (camera, priority) = (&self.cameras[index].config.id, self.cameras[index].config.priority);
        tracing::warn!(%camera, priority, level, "more to do than this box can: this camera gives up frames (level 0: none)");
    }

    fn give_up(&self, index: usize, cause: &source::SourceError) {
        let camera = &self.cameras[index];
        tracing::error!(camera = %camera.config.id, %cause, "this camera cannot work; the others go on");
        camera.telemetry.set_status(CameraStatus::Degraded {
            reason: cause.trouble(),
        });
        self.schedule.end(index);
    }

    pub(crate) fn summary(&self, unacknowledged: u64) -> Summary {
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
