//! How far a minute's count may be from the truth. Invariant: nothing was counted, nothing was missed and every second
//! was seen means nought; every doubt only adds. docs/ref/counting.md derives it.

/// The doubt of one direction of one line in one minute, gathered passage by passage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Doubt {
    passages: u32,
    variance: f32,
}

impl Doubt {
    /// A passage was counted that is right with this probability.
    pub fn passage(&mut self, confidence: f32) {
        let sure = confidence.clamp(0.0, 1.0);
        self.passages += 1;
        // That this one is wrong, sure (1 - sure), and that one like it was missed, 1 - sure.
        self.variance += sure * (1.0 - sure) + (1.0 - sure);
    }

    /// One standard deviation of the truth about the count, if this share of the minute was seen. What was not seen is
    /// not added to the count, so that its mean is an error as well as its scatter (a rate that is itself known
    /// from what was seen only: negative binomial).
    pub fn deviation(&self, coverage: f32) -> f32 {
        let seen = coverage.clamp(LEAST_SEEN, 1.0);
        let ratio = (1.0 - seen) / seen;
        // Half a passage more than were seen: who sees nobody in ten seconds does not know that nobody comes.
        let missed = (self.passages as f32 + 0.5) * ratio;
        let scatter = GROUP * missed * (1.0 + ratio);
        (self.variance + scatter + missed * missed).sqrt()
    }
}

/// People come in twos and threes: their number scatters more than that of lone arrivals.
const GROUP: f32 = 2.0;

/// A minute is told only if one of its seconds was seen.
const LEAST_SEEN: f32 = 1.0 / 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_doubt_adds() {
        let mut doubt = Doubt::default();
        assert!(doubt.deviation(1.0).abs() < 1e-6);
        assert!((doubt.deviation(0.5) - 2.25_f32.sqrt()).abs() < 1e-6);
        doubt.passage(0.5);
        assert!((doubt.deviation(1.0) - 0.75_f32.sqrt()).abs() < 1e-6);
        assert!(doubt.deviation(0.9) > doubt.deviation(1.0));
        assert!(doubt.deviation(0.0).is_finite());
        let before = doubt.deviation(1.0);
        doubt.passage(1.0);
        assert!((doubt.deviation(1.0) - before).abs() < 1e-6);
    }
}
