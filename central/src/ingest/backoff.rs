//! Waiting between attempts: doubling from a quarter of a second to a ceiling, each wait drawn at random from the upper
//! half, so that several offices do not come back in step.

use rand::Rng;
use std::time::Duration;

const FIRST_MS: u64 = 250;
const CEILING_MS: u64 = 15_000;

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next wait.
    pub(super) fn next(&mut self, random: &mut impl Rng) -> Duration {
        let full = FIRST_MS.saturating_mul(1 << self.failures.min(10)).min(CEILING_MS);
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(full / 2 + random.next_u64() % (full / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_ceiling_and_never_vanish() {
        let (mut backoff, mut random) = (Backoff::default(), rand::rng());
        for failures in 0..100_u32 {
            let wait = backoff.next(&mut random).as_millis() as u64;
            let full = (FIRST_MS << failures.min(10)).min(CEILING_MS);
            assert!(
                (full / 2..=full).contains(&wait),
                "wait {wait} after {failures} failures"
            );
        }
    }
}
