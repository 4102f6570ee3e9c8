//! Giving up frames when the box has more to do than it can. Invariant: a camera gives up frames only while every one of
//! lower priority has given up all that it may; what is given up is counted, lowers the coverage of its minute and comes
//! back once there is room. Knows times and shares, not cameras' pictures.
//!
//! Without it every camera would lose frames alike, the gate that matters as much as the car park.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Least time between two frames of a camera, s, by how much it gives up.
const EVERY_S: [f64; 4] = [0.0, 0.2, 0.5, 1.0];
/// Between two looks at the load, s.
const PERIOD_S: f64 = 1.0;
/// Too much to do: the workers are busy for this share of the time, and so many frames are replaced unseen ...
const OVER_BUSY: f64 = 0.97;
const OVER_REPLACED: f64 = 0.1;
/// ... in so many periods on end: a burst is not a lasting load.
const OVER_PERIODS: u32 = 3;
/// Room for more: so little is to do in so many periods on end.
const UNDER_BUSY: f64 = 0.7;
const UNDER_PERIODS: u32 = 10;

/// What was to do in a period.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    /// Share of the workers' time that they worked, 0 to 1.
    pub busy: f64,
    /// Share of the frames that were replaced before anybody looked, 0 to 1.
    pub replaced: f64,
}

/// Who gives up how much.
#[derive(Debug)]
pub struct Policy {
    /// Priority and level of each camera.
    cameras: Vec<(u8, u8)>,
    over: u32,
    under: u32,
}

impl Policy {
    /// Nobody gives up anything yet.
    pub fn new(priorities: impl IntoIterator<Item = u8>) -> Self {
        Self {
            cameras: priorities.into_iter().map(|priority| (priority, 0)).collect(),
            over: 0,
            under: 0,
        }
    }

    /// Takes in the load of a period; says which camera now gives up how much more or less, if one does.
    pub fn decide(&mut self, load: Load) -> Option<(usize, u8)> {
        let over = load.busy >= OVER_BUSY && load.replaced >= OVER_REPLACED;
        self.over = if over { self.over + 1 } else { 0 };
        self.under = if load.busy < UNDER_BUSY { self.under + 1 } else { 0 };
        let most = EVERY_S.len() as u8 - 1;
        let cameras = self.cameras.iter_mut().enumerate();
        let (number, camera, level) = if self.over >= OVER_PERIODS {
            let (number, camera) = cameras.filter(|(_, c)| c.1 < most).min_by_key(|(_, camera)| **camera)?;
            let level = camera.1 + 1;
            (number, camera, level)
        } else if self.under >= UNDER_PERIODS {
            let (number, camera) = cameras.filter(|(_, c)| c.1 > 0).max_by_key(|(_, camera)| **camera)?;
            let level = camera.1 - 1;
            (number, camera, level)
        } else {
            return None;
        };
        camera.1 = level;
        (self.over, self.under) = (0, 0);
        Some((number, level))
    }
}

/// Shared by the readers and the workers of a device.
#[derive(Debug)]
pub struct Shedding {
    levels: Vec<AtomicU8>,
    workers: usize,
    busy_us: AtomicU64,
    came: AtomicU64,
    replaced: AtomicU64,
    policy: Mutex<(Policy, Instant)>,
}

impl Shedding {
    /// For cameras of these priorities and this many workers.
    pub fn new(priorities: impl IntoIterator<Item = u8>, workers: usize) -> Self {
        let policy = Policy::new(priorities);
        Self {
            levels: policy.cameras.iter().map(|_| AtomicU8::new(0)).collect(),
            workers: workers.max(1),
            busy_us: AtomicU64::new(0),
            came: AtomicU64::new(0),
            replaced: AtomicU64::new(0),
            policy: Mutex::new((policy, Instant::now())),
        }
    }

    /// A worker worked for so long.
    pub fn worked(&self, took: Duration) {
        self.busy_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    /// A frame came at this time and perhaps pushed out one that nobody had looked at; says what changes by it.
    pub fn came(&self, replaced: bool, now: Instant) -> Option<(usize, u8)> {
        self.came.fetch_add(1, Ordering::Relaxed);
        self.replaced.fetch_add(u64::from(replaced), Ordering::Relaxed);
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        let (policy, since) = &mut *policy;
        let passed_s = now.saturating_duration_since(*since).as_secs_f64();
        if passed_s < PERIOD_S {
            return None;
        }
        *since = now;
        let [busy_us, came, replaced] =
            [&self.busy_us, &self.came, &self.replaced].map(|number| number.swap(0, Ordering::Relaxed) as f64);
        let change = policy.decide(Load {
            busy: busy_us / 1e6 / (passed_s * self.workers as f64),
            replaced: replaced / came.max(1.0),
        })?;
        self.levels[change.0].store(change.1, Ordering::Relaxed);
        Some(change)
    }

    /// Whether a frame of this camera is to be worked on; `taken_s` is when the last one was that is.
    pub fn takes(&self, camera: usize, at_s: f64, taken_s: Option<f64>) -> bool {
        let every_s = EVERY_S[usize::from(self.levels[camera].load(Ordering::Relaxed))];
        // Frames come at whole multiples of their own period; a clip that begins again steps back.
        taken_s.is_none_or(|taken_s| !(0.0..every_s - 0.01).contains(&(at_s - taken_s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Load = Load {
        busy: 1.0,
        replaced: 0.3,
    };
    const IDLE: Load = Load {
        busy: 0.3,
        replaced: 0.0,
    };

    /// Levels after so many periods of this load.
    fn after(policy: &mut Policy, load: Load, periods: u32) -> Vec<u8> {
        for _ in 0..periods {
            policy.decide(load);
        }
        policy.cameras.iter().map(|(_, level)| *level).collect()
    }

    #[test]
    fn the_least_gives_up_all_before_the_next_gives_up_anything_and_gets_it_back_last() {
        let mut policy = Policy::new([9, 1, 5]);
        assert_eq!(after(&mut policy, OVER, OVER_PERIODS - 1), [0, 0, 0], "a burst");
        assert_eq!(after(&mut policy, OVER, 1), [0, 1, 0]);
        assert_eq!(after(&mut policy, OVER, 3 * OVER_PERIODS), [0, 3, 1]);
        assert_eq!(
            after(&mut policy, OVER, 50 * OVER_PERIODS),
            [3, 3, 3],
            "never beyond the last level"
        );
        assert_eq!(after(&mut policy, IDLE, 3 * UNDER_PERIODS), [0, 3, 3]);
        assert_eq!(after(&mut policy, IDLE, 50 * UNDER_PERIODS), [0, 0, 0]);
    }

    #[test]
    fn equals_give_up_alike_and_a_fitting_load_changes_nothing() {
        let mut policy = Policy::new([5, 5]);
        assert_eq!(after(&mut policy, OVER, 2 * OVER_PERIODS), [1, 1]);
        let fits = Load {
            busy: 0.85,
            replaced: 0.02,
        };
        assert_eq!(after(&mut policy, fits, 100), [1, 1]);
        let busy = Load {
            busy: 1.0,
            replaced: 0.0,
        };
        assert_eq!(
            after(&mut policy, busy, 100),
            [1, 1],
            "nothing is lost: nothing more is given up"
        );
    }

    #[test]
    fn a_device_sheds_by_its_own_figures_and_lets_frames_through_at_the_lower_rate() {
        let shedding = Shedding::new([2, 7], 2);
        let start = Instant::now();
        let mut changes = Vec::new();
        // The first period is a little longer, so that the workers were not quite busy in it.
        for second in 1..=7 {
            shedding.worked(Duration::from_secs(2));
            shedding.came(true, start + Duration::from_millis(second * 1_000 - 500));
            changes.extend(shedding.came(false, start + Duration::from_millis(second * 1_000 + 100)));
        }
        assert_eq!(changes, [(0, 1), (0, 2)]);
        let taken = |camera| {
            let (mut taken_s, mut taken) = (None, 0);
            for frame in 0..100 {
                let at_s = f64::from(frame) * 0.04;
                if shedding.takes(camera, at_s, taken_s) {
                    (taken_s, taken) = (Some(at_s), taken + 1);
                }
            }
            taken
        };
        assert_eq!((taken(0), taken(1)), (8, 100));
        assert!(shedding.takes(0, 0.0, Some(9.0)), "a clip that begins again");
    }
}
