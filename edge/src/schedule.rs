//! Cameras in turn: one place a camera for its newest frame, and the order in which workers take them. Invariant: a
//! camera is with one worker at a time, so its frames are worked on in order; a frame that nobody took in time is
//! replaced by the newer one; the end of a camera comes after its last frame, and the workers end when every camera has.

use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a worker is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Work<F> {
    /// Work on a frame.
    Frame(F),
    /// The camera has ended: finish what is open.
    End,
}

#[derive(Debug)]
struct Place<F> {
    frame: Option<F>,
    end_due: bool,
    ended: bool,
    queued: bool,
}

/// The places of all cameras of a device.
#[derive(Debug)]
pub struct Schedule<F> {
    places: Vec<Mutex<Place<F>>>,
    /// Cameras whose end was worked on.
    ended: AtomicUsize,
    // Holds each camera at most once, and the mark that ends the workers, which each of them passes on: never full.
    ready: (Sender<Option<usize>>, Receiver<Option<usize>>),
}

impl<F> Schedule<F> {
    /// Places for this many cameras.
    pub fn new(cameras: usize) -> Self {
        let place = || {
            Mutex::new(Place {
                frame: None,
                end_due: false,
                ended: false,
                queued: false,
            })
        };
        Self {
            places: (0..cameras).map(|_| place()).collect(),
            ended: AtomicUsize::new(0),
            ready: bounded(cameras + 2),
        }
    }

    /// Puts a frame in its camera's place; hands back the one that it replaced, which nobody had taken.
    pub fn put(&self, camera: usize, frame: F) -> Option<F> {
        let mut place = self.place(camera);
        let replaced = place.frame.replace(frame);
        self.queue(camera, &mut place);
        replaced
    }

    /// The camera delivers no more.
    pub fn end(&self, camera: usize) {
        let mut place = self.place(camera);
        place.end_due = true;
        self.queue(camera, &mut place);
    }

    /// Waits for the next turn; `None` when every camera has ended. The camera is this worker's until [`Self::done`].
    pub fn take(&self) -> Option<(usize, Work<F>)> {
        loop {
            let Some(camera) = self.ready.1.recv().ok()? else {
                self.end_workers();
                return None;
            };
            let mut place = self.place(camera);
            if let Some(frame) = place.frame.take() {
                return Some((camera, Work::Frame(frame)));
            }
            if std::mem::take(&mut place.end_due) {
                place.ended = true;
                return Some((camera, Work::End));
            }
            place.queued = false;
        }
    }

    /// Gives a camera back after its turn.
    pub fn done(&self, camera: usize) {
        let mut place = self.place(camera);
        place.queued = false;
        if place.frame.is_some() || place.end_due {
            self.queue(camera, &mut place);
        } else if std::mem::take(&mut place.ended) && self.ended.fetch_add(1, Ordering::SeqCst) + 1 == self.places.len()
        {
            self.end_workers();
        }
    }

    fn end_workers(&self) {
        // The receiver lives as long as the schedule.
        let _ = self.ready.0.send(None);
    }

    fn queue(&self, camera: usize, place: &mut Place<F>) {
        if !place.queued {
            place.queued = true;
            let _ = self.ready.0.send(Some(camera));
        }
    }

    fn place(&self, camera: usize) -> MutexGuard<'_, Place<F>> {
        self.places[camera].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_frame_wins_and_the_end_comes_last() {
        let schedule = Schedule::new(1);
        assert_eq!(schedule.put(0, 1), None);
        assert_eq!(schedule.put(0, 2), Some(1));
        schedule.end(0);
        assert_eq!(schedule.take(), Some((0, Work::Frame(2))));
        schedule.done(0);
        assert_eq!(schedule.take(), Some((0, Work::End)));
        schedule.done(0);
        assert_eq!(schedule.take(), None);
        assert_eq!(schedule.take(), None, "the second worker ends as well");
    }

    #[test]
    fn an_end_that_comes_while_the_last_frame_is_worked_on_is_not_lost() {
        let schedule = Schedule::new(2);
        schedule.end(1);
        schedule.put(0, "a");
        assert_eq!(schedule.take(), Some((1, Work::End)));
        assert_eq!(schedule.take(), Some((0, Work::Frame("a"))));
        schedule.end(0);
        schedule.done(1);
        schedule.done(0);
        assert_eq!(schedule.take(), Some((0, Work::End)));
        schedule.done(0);
        assert_eq!(schedule.take(), None);
    }

    #[test]
    fn a_camera_is_with_one_worker_at_a_time_and_others_have_their_turn() {
        let schedule = Schedule::new(2);
        schedule.put(0, "a1");
        schedule.put(1, "b1");
        assert_eq!(schedule.take(), Some((0, Work::Frame("a1"))));
        // Camera 0 is still with its worker: its next frame waits, camera 1 is next.
        schedule.put(0, "a2");
        assert_eq!(schedule.take(), Some((1, Work::Frame("b1"))));
        schedule.put(1, "b2");
        schedule.done(0);
        assert_eq!(schedule.take(), Some((0, Work::Frame("a2"))));
        schedule.done(1);
        assert_eq!(schedule.take(), Some((1, Work::Frame("b2"))));
    }

    #[test]
    fn many_workers_see_every_camera_in_order() {
        let schedule = Schedule::new(3);
        let newest: Vec<std::sync::atomic::AtomicU64> = (0..3).map(|_| 0.into()).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some((camera, work)) = schedule.take() {
                        if let Work::Frame(number) = work {
                            let before = newest[camera].swap(number, std::sync::atomic::Ordering::SeqCst);
                            assert!(before < number, "frame {number} after {before}");
                        }
                        schedule.done(camera);
                    }
                });
            }
            for number in 1..=2_000_u64 {
                for camera in 0..3 {
                    schedule.put(camera, number);
                }
            }
            (0..3).for_each(|camera| schedule.end(camera));
        });
    }
}
