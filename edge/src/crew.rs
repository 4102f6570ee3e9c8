//! The workers of a device and who looks after them. Invariant: a worker that hangs in a frame is given up and replaced,
//! its camera begins anew with its books; what comes back from a hang finds another in its place and ends without touching
//! anything. Where restarting does not help, that is said, and systemd is left to start the process anew.

use crate::camera::{CameraChain, Lists};
use crate::device::{Device, Seen};
use crate::nets::Nets;
use crate::outbox::Draft;
use crate::schedule::Work;
use crate::source::Frame;
use crate::watchdog::{At, Patience, Worker};
use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use vong_models::ModelError;
use vong_wire::{Trouble, View};

/// Threads that were given up and have not come back: each holds the memory of its models, so there are never more.
const MOST_STRAYS: usize = 8;
/// Looks at the workers within the patience for a frame.
const LOOKS: u32 = 10;

/// How a device comes by its workers.
pub(crate) struct Crew {
    /// Models of the first ones.
    pub(crate) nets: Vec<Nets>,
    /// Opens models for one that takes another's place.
    pub(crate) open: Arc<dyn Fn() -> anyhow::Result<Nets> + Send + Sync>,
    /// How long they may take.
    pub(crate) patience: Patience,
}

/// A worker's thread ends; told also when it panics.
struct Leaving {
    worker: Worker,
    /// There is no more work.
    done: bool,
    ended: Sender<(Worker, bool)>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // Nobody listens any more when the device has ended.
        let _ = self.ended.send((self.worker, self.done));
    }
}

/// Runs the workers until all cameras have ended.
///
/// # Errors
/// When no thread can be had, or no worker is left.
pub(crate) fn run(device: &Arc<Device>, crew: Crew) -> anyhow::Result<()> {
    let Crew { nets, open, patience } = crew;
    let (ended, endings) = unbounded();
    let (mut working, mut strays) = (0, 0);
    for (worker, nets) in device.progress.workers().zip(nets) {
        hire(device, worker, &ended, move || Ok(nets))?;
        working += 1;
    }
    let restart = |place, patience| -> anyhow::Result<bool> {
        let Some((worker, camera)) = device.progress.give_up(place, patience) else {
            return Ok(false);
        };
        device.restarts.note(Instant::now());
        device.begin_anew(camera);
        let open = open.clone();
        hire(device, worker, &ended, move || open())?;
        Ok(true)
    };
    let mut lost = false;
    while working > 0 {
        match endings.recv_timeout(patience.frame / LOOKS) {
            Ok((worker, _)) if !device.progress.stands(worker) => strays -= 1,
            Ok((_, true)) => working -= 1,
            // It panicked; in a frame that is the same as to hang, but it will not come back.
            Ok((worker, false)) if restart(worker.place, Patience::NONE)? => {}
            Ok((_, false)) => (working, lost) = (working - 1, true),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let mut stuck = false;
        for (place, at) in device.progress.hanging(patience) {
            let helps = strays < MOST_STRAYS && !device.restarts.too_many(Instant::now());
            match at {
                // Who stops waits for nobody.
                At::Frame(_) if helps || device.stop.is_cancelled() => strays += usize::from(restart(place, patience)?),
                At::Disk(camera) => {
                    device.cameras[camera].telemetry.set_trouble(Some(Trouble::DiskRefuses));
                    stuck = true;
                }
                At::Frame(_) | At::Opening => stuck = true,
            }
        }
        device.restarts.set_stuck(stuck);
    }
    match lost {
        true => Err(anyhow::anyhow!(
            "no worker is left; look above for why, and at the models"
        )),
        false => Ok(()),
    }
}

fn hire(
    device: &Arc<Device>,
    worker: Worker,
    ended: &Sender<(Worker, bool)>,
    nets: impl FnOnce() -> anyhow::Result<Nets> + Send + 'static,
) -> std::io::Result<()> {
    let device = device.clone();
    let leaving = Leaving {
        worker,
        done: false,
        ended: ended.clone(),
    };
    let work = move || {
        let mut leaving = leaving;
        match nets() {
            Ok(nets) => leaving.done = device.progress.end(worker) && work(&device, worker, nets),
            // It stays at its opening, as the watchdog will see.
            Err(cause) => tracing::error!(%cause, "a worker cannot open its models; there is one less"),
        }
    };
    let thread = std::thread::Builder::new().name(format!("worker-{}", worker.place));
    // Nobody waits for the thread itself: it may hang for ever.
    thread.spawn(work).map(drop)
}

/// What came of a frame, before anything outside of its camera's stages was touched.
struct Turn {
    drafts: Vec<Draft>,
    frame: Option<(Frame, Instant)>,
    failed: Option<ModelError>,
    view: Option<View>,
}

/// Takes the cameras in turn until the schedule closes; false: was given up.
fn work(device: &Device, worker: Worker, mut nets: Nets) -> bool {
    while let Some((index, work)) = device.schedule.take() {
        device.progress.begin(worker, At::Frame(index));
        let began = Instant::now();
        let camera = &device.cameras[index];
        let lists = device.lists.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut chain = camera.take_chain();
        #[cfg(test)]
        device.before_work(index);
        let turn = look(&mut chain, work, &mut nets, &lists);
        if !device.progress.end(worker) {
            return false;
        }
        device.shedding.worked(began.elapsed());
        let Turn {
            drafts,
            frame,
            failed,
            view,
        } = turn;
        match failed {
            None if frame.is_some() => drop(camera.telemetry.set_trouble(None)),
            None => {}
            Some(cause) => {
                camera.telemetry.count("frames_failed", 1);
                if camera.telemetry.set_trouble(Some(Trouble::ModelFailed)) {
                    tracing::error!(camera = %camera.config.id, %cause, "a frame could not be worked on");
                }
            }
        }
        if let Some(view) = view {
            device.views.put(view);
        }
        let arrived = frame.map(|(frame, came)| {
            camera.note(frame.at_ms);
            camera.give_back(frame);
            came
        });
        device.keep(&drafts, index, worker);
        camera.put_back(chain, &drafts);
        if let Some(came) = arrived {
            camera.telemetry.decided(came.elapsed());
        }
        device.schedule.done(index);
    }
    true
}

fn look(chain: &mut CameraChain, work: Work<Seen>, nets: &mut Nets, lists: &Lists) -> Turn {
    let Work::Frame(seen) = work else {
        return Turn {
            drafts: chain.finish(lists),
            frame: None,
            failed: None,
            view: None,
        };
    };
    let Seen {
        mut frame,
        after_cut,
        shed,
        came,
    } = seen;
    chain.shed(shed);
    let mut drafts = if after_cut { chain.finish(lists) } else { Vec::new() };
    let failed = chain.frame(&mut frame, nets, lists, &mut drafts).err();
    let view = chain.view(&mut frame);
    Turn {
        drafts,
        frame: Some((frame, came)),
        failed,
        view,
    }
}

impl Patience {
    const NONE: Self = Self {
        frame: Duration::ZERO,
        disk: Duration::ZERO,
    };
}

#[cfg(test)]
mod tests;
