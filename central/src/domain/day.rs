//! Days as the operators live them: Việt Nam keeps UTC+7 all year (Asia/Ho_Chi_Minh has had no other offset since
//! 1975), so a fixed offset is exact and needs no time zone data.

use std::time::{SystemTime, UNIX_EPOCH};
use vong_wire::UnixMs;

/// Minutes that local time is ahead of UTC.
pub const TZ_OFFSET_MIN: i64 = 7 * 60;

const OFFSET_MS: i64 = TZ_OFFSET_MIN * 60_000;
const DAY_MS: i64 = 86_400_000;

/// A local calendar day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalDay(pub i64);

impl LocalDay {
    /// The day on which a moment falls.
    pub fn of(at_ms: UnixMs) -> Self {
        Self(at_ms.saturating_add(OFFSET_MS).div_euclid(DAY_MS))
    }

    /// Its local midnight.
    pub fn start_ms(self) -> UnixMs {
        self.0 * DAY_MS - OFFSET_MS
    }

    /// The next day's midnight.
    pub fn end_ms(self) -> UnixMs {
        self.start_ms() + DAY_MS
    }
}

/// This machine's clock. A clock before 1970 reads as 0.
pub fn now_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as UnixMs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_turn_at_local_midnight() {
        // 2026-11-24T17:00:00Z is 2026-11-25T00:00:00+07:00.
        let midnight = 1_795_539_600_000;
        let day = LocalDay::of(midnight);
        assert_eq!(day.start_ms(), midnight);
        assert_eq!(LocalDay::of(midnight - 1), LocalDay(day.0 - 1));
        assert_eq!(LocalDay::of(day.end_ms() - 1), day);
        assert_eq!(LocalDay::of(-1).0, 0);
    }
}
