//! Figures of a two-class decision by score. Invariant: every comparison counts; one that could not be made counts as
//! "different". Pure.

/// Scores of genuine and of impostor comparisons, higher is more alike.
#[derive(Debug, Default, Clone)]
pub struct Roc {
    genuine: Vec<f32>,
    impostor: Vec<f32>,
}

impl Roc {
    /// Adds a comparison; none could not be made.
    pub fn add(&mut self, same: bool, score: Option<f32>) {
        let scores = if same { &mut self.genuine } else { &mut self.impostor };
        scores.push(score.unwrap_or(f32::NEG_INFINITY));
    }

    /// Genuine comparisons.
    pub fn genuine(&self) -> usize {
        self.genuine.len()
    }

    /// Impostor comparisons.
    pub fn impostor(&self) -> usize {
        self.impostor.len()
    }

    /// Share of pairs (genuine, impostor) in which the genuine one has the higher score; a tie counts half
    /// (Mann-Whitney).
    pub fn auc(&self) -> f64 {
        let impostor = sorted(&self.impostor);
        let below = |score: f32| impostor.partition_point(|other| *other < score) as f64;
        let not_above = |score: f32| impostor.partition_point(|other| *other <= score) as f64;
        let wins: f64 = self
            .genuine
            .iter()
            .map(|score| (below(*score) + not_above(*score)) / 2.0)
            .sum();
        wins / (self.genuine.len() as f64 * impostor.len() as f64)
    }

    /// Share at which false matches and false non-matches are equal: the mean of both at the threshold where they are
    /// nearest to each other.
    pub fn eer(&self) -> f64 {
        let (genuine, impostor) = (sorted(&self.genuine), sorted(&self.impostor));
        let rates = |threshold: f32| {
            let fnmr = genuine.partition_point(|score| *score < threshold) as f64 / genuine.len() as f64;
            let fmr = 1.0 - impostor.partition_point(|score| *score < threshold) as f64 / impostor.len() as f64;
            (fnmr, fmr)
        };
        let thresholds = genuine.iter().chain(&impostor).filter(|score| score.is_finite());
        let nearest = thresholds
            .map(|threshold| rates(*threshold))
            .min_by(|a, b| (a.0 - a.1).abs().total_cmp(&(b.0 - b.1).abs()));
        nearest.map_or(1.0, |(fnmr, fmr)| (fnmr + fmr) / 2.0)
    }

    /// Share of genuine comparisons above the lowest threshold that lets at most this share of impostors pass.
    pub fn tar_at_far(&self, far: f64) -> f64 {
        let threshold = threshold_for(&self.impostor, far);
        let passed = self.genuine.iter().filter(|score| **score > threshold).count();
        passed as f64 / self.genuine.len() as f64
    }
}

/// The lowest score such that at most this share of the scores lies above it.
pub fn threshold_for(scores: &[f32], share: f64) -> f32 {
    let scores = sorted(scores);
    // Rounded down: 0.001 of 500 allows none. The small term is for products such as 0.1 * 30 = 2.9999999999999996.
    let allowed = (share * scores.len() as f64 + 1e-9).floor() as usize;
    match scores.len().checked_sub(1 + allowed) {
        Some(at) => scores[at],
        None => f32::NEG_INFINITY,
    }
}

fn sorted(scores: &[f32]) -> Vec<f32> {
    let mut scores = scores.to_vec();
    scores.sort_unstable_by(f32::total_cmp);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roc(genuine: &[f32], impostor: &[f32]) -> Roc {
        Roc {
            genuine: genuine.to_vec(),
            impostor: impostor.to_vec(),
        }
    }

    #[test]
    fn figures_of_known_scores() {
        let apart = roc(&[0.8, 0.9], &[0.1, 0.2]);
        assert_eq!((apart.auc(), apart.eer(), apart.tar_at_far(0.0)), (1.0, 0.0, 1.0));
        let mixed = roc(&[0.9, 0.8, 0.7, 0.3], &[0.6, 0.4, 0.2, 0.1]);
        assert!((mixed.auc() - 14.0 / 16.0).abs() < 1e-9);
        assert!((mixed.eer() - 0.25).abs() < 1e-9);
        assert!((mixed.tar_at_far(0.0) - 0.75).abs() < 1e-9);
        assert!((mixed.tar_at_far(0.5) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_could_not_be_compared_counts_as_different() {
        let mut roc = Roc::default();
        for score in [Some(0.9), None] {
            roc.add(true, score);
            roc.add(false, score.map(|s: f32| s - 0.8));
        }
        assert_eq!((roc.genuine(), roc.impostor()), (2, 2));
        assert!((roc.tar_at_far(0.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_threshold_lets_no_more_pass_than_allowed() {
        let scores: Vec<f32> = (0..30).map(|n| n as f32).collect();
        for (share, passing) in [(0.0, 0), (0.1, 3), (0.02, 0), (1.0, 30)] {
            let threshold = threshold_for(&scores, share);
            assert_eq!(
                scores.iter().filter(|score| **score > threshold).count(),
                passing,
                "{share}"
            );
        }
    }
}
