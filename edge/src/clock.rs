//! Time. Invariant: nothing else in this crate asks the operating system for the time of day, so that a test can.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use vong_wire::UnixMs;

/// Where the time of day comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970 by this clock.
    fn now_ms(&self) -> UnixMs;
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
