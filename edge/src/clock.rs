//! Time. Invariant: nothing else in this crate asks the operating system for the time of day, so that a test can.
//!
//! A box without a battery starts in 1970 and learns the time from the network later: what it decided until then is told
//! with times that are mended when the clock is known ([`Clock::mend`]); its order is that of boot and number anyway.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use vong_wire::UnixMs;

/// A clock that shows less does not know the time.
pub const PLAUSIBLE_MS: UnixMs = vong_wire::PLAUSIBLE_MS;
/// The system's clock may stray from the steady one by so much before that counts as a step.
const STEP_MS: UnixMs = 100;

/// Where the time of day comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 by this clock.
    fn now_ms(&self) -> UnixMs;

    /// It does not know what time it is.
    fn is_unsure(&self) -> bool {
        self.now_ms() < PLAUSIBLE_MS
    }

    /// A time of this start, as it would have been told had the clock been right.
    fn mend(&self, at_ms: UnixMs) -> UnixMs {
        at_ms
    }

    /// The minute as which one of this start is told, by the time at which it began.
    fn mend_minute(&self, minute_ms: UnixMs) -> UnixMs {
        match self.mend(minute_ms) {
            mended if mended == minute_ms => minute_ms,
            mended => vong_wire::mended_minute(mended),
        }
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> UnixMs {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_millis() as UnixMs,
            // A box without a battery may start before 1970; the sign is what matters.
            Err(before) => -(before.duration().as_millis() as UnixMs),
        }
    }
}

/// The operating system's clock of one start: steps are noticed, and times from before the clock was known are mended.
#[derive(Debug)]
pub struct BootClock {
    started: Instant,
    hands: Mutex<Hands>,
}

/// A steady clock's zero in the time of day, and by how much implausible times of this start are short.
#[derive(Debug, Clone, Copy)]
struct Hands {
    zero_ms: UnixMs,
    mended_ms: UnixMs,
}

impl Default for BootClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            hands: Mutex::new(Hands {
                zero_ms: SystemClock.now_ms(),
                mended_ms: 0,
            }),
        }
    }
}

impl Clock for BootClock {
    fn now_ms(&self) -> UnixMs {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        let (system_ms, steady_ms) = (SystemClock.now_ms(), self.started.elapsed().as_millis() as UnixMs);
        if let Some(step_ms) = hands.read(system_ms, steady_ms) {
            tracing::warn!(step_ms, "the system's clock was set; times go on from the new one");
        }
        hands.zero_ms + steady_ms
    }

    fn mend(&self, at_ms: UnixMs) -> UnixMs {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner).mend(at_ms)
    }
}

impl Hands {
    /// Sets the hands where the system's clock was stepped; by how much.
    fn read(&mut self, system_ms: UnixMs, steady_ms: UnixMs) -> Option<UnixMs> {
        let shown = self.zero_ms.saturating_add(steady_ms);
        let step_ms = system_ms.saturating_sub(shown);
        if step_ms.abs() < STEP_MS {
            return None;
        }
        if shown < PLAUSIBLE_MS {
            self.mended_ms = self.mended_ms.saturating_add(step_ms);
        }
        self.zero_ms = self.zero_ms.saturating_add(step_ms);
        Some(step_ms)
    }

    fn mend(&self, at_ms: UnixMs) -> UnixMs {
        let mended = at_ms.saturating_add(self.mended_ms);
        // Only what was told before the clock was known, and only once it is.
        if at_ms < PLAUSIBLE_MS && mended >= PLAUSIBLE_MS {
            mended
        } else {
            at_ms
        }
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(now_ms: UnixMs) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves the hands.
    pub fn set(&self, now_ms: UnixMs) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> UnixMs {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: UnixMs = PLAUSIBLE_MS + 1_000_000;

    #[test]
    fn times_from_before_the_clock_was_known_are_mended_when_it_is() {
        let mut hands = Hands {
            zero_ms: 5_000,
            mended_ms: 0,
        };
        assert_eq!(hands.read(6_000, 1_000), None);
        let early = hands.zero_ms + 1_000;
        assert_eq!(hands.mend(early), early, "not known yet");
        assert!(ManualClock::at(early).is_unsure() && !ManualClock::at(NOW_MS).is_unsure());
        // The network tells the time, nine seconds after the start.
        assert!(hands.read(NOW_MS, 9_000).is_some());
        assert_eq!(hands.zero_ms + 9_000, NOW_MS);
        assert_eq!(hands.mend(early), NOW_MS - 8_000);
        assert_eq!(hands.mend(NOW_MS - 100), NOW_MS - 100, "a plausible time is left alone");
    }

    struct Learned(Hands);

    impl Clock for Learned {
        fn now_ms(&self) -> UnixMs {
            NOW_MS
        }

        fn mend(&self, at_ms: UnixMs) -> UnixMs {
            self.0.mend(at_ms)
        }
    }

    #[test]
    fn minutes_from_before_the_clock_was_known_are_told_apart_from_those_after() {
        const MINUTE_MS: UnixMs = 60_000;
        // Wherever in its minute a start that thinks it is 1970 learns the time, and wherever that is in the true one.
        for (learned_after_ms, now_ms) in [
            (90_000, 0),
            (90_000, 20_000),
            (119_999, 59_999),
            (180_000, 30_000),
            (1, 1),
        ] {
            let now_ms = NOW_MS - NOW_MS % MINUTE_MS + now_ms;
            let mut hands = Hands {
                zero_ms: 0,
                mended_ms: 0,
            };
            hands.read(now_ms, learned_after_ms);
            let clock = Learned(hands);
            let before = (0..=learned_after_ms / MINUTE_MS).map(|minute| clock.mend_minute(minute * MINUTE_MS));
            let after = (0..3).map(|minute| clock.mend_minute(now_ms - now_ms % MINUTE_MS + minute * MINUTE_MS));
            let told: Vec<UnixMs> = before.chain(after).collect();
            assert!(told.iter().all(|at_ms| at_ms % MINUTE_MS == 0), "{told:?}");
            assert!(
                told.windows(2).all(|pair| pair[0] < pair[1]),
                "{told:?} one is told twice"
            );
            let began_ms = now_ms - learned_after_ms;
            assert!(
                (0..2 * MINUTE_MS).contains(&(began_ms - told[0])),
                "{told:?} for {began_ms}"
            );
        }
    }

    #[test]
    fn two_wrong_clocks_in_a_row_are_mended_together() {
        let mut hands = Hands {
            zero_ms: -3_000,
            mended_ms: 0,
        };
        hands.read(100_000, 0);
        hands.read(NOW_MS, 50_000);
        assert_eq!(hands.mend(-3_000), NOW_MS - 50_000);
    }

    #[test]
    fn steps_of_a_known_clock_are_followed_and_mend_nothing() {
        let mut hands = Hands {
            zero_ms: NOW_MS,
            mended_ms: 0,
        };
        assert_eq!(
            hands.read(NOW_MS + 10_050, 10_000),
            None,
            "fifty milliseconds are no step"
        );
        assert_eq!(hands.read(NOW_MS - 50_000, 10_000), Some(-60_000));
        assert_eq!(hands.zero_ms + 10_000, NOW_MS - 50_000);
        assert_eq!(hands.mend(NOW_MS), NOW_MS);
    }
}
