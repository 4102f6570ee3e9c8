//! The best shots of a track and the one embedding that they add up to.

use super::Quality;
use vong_models::face::Embedding;

/// Shots kept: more add little, since neighbouring frames show the same.
const KEPT: usize = 5;
/// A new shot must be this much better than the worst kept one to be worth an embedding.
const WORTH: f32 = 1.1;

/// The best shots of one track.
#[derive(Debug, Default, Clone)]
pub struct BestShots {
    shots: Vec<(Quality, Vec<f32>)>,
    model: String,
}

impl BestShots {
    /// Whether a shot of this quality would improve the track.
    pub fn wants(&self, quality: Quality) -> bool {
        self.shots.len() < KEPT || self.shots.iter().any(|(kept, _)| quality.0 > kept.0 * WORTH)
    }

    /// Whether the track has enough shots that looking for better ones may slow down.
    pub fn is_full(&self) -> bool {
        self.shots.len() == KEPT
    }

    /// Takes a shot, in place of the worst where there are enough. Embeddings of one model only.
    pub fn add(&mut self, quality: Quality, embedding: Embedding) {
        if self.model != embedding.model {
            self.shots.clear();
            self.model = embedding.model;
        }
        if self.shots.len() == KEPT {
            let worst = (0..KEPT).min_by(|a, b| self.shots[*a].0.0.total_cmp(&self.shots[*b].0.0));
            self.shots.swap_remove(worst.expect("KEPT is not nought"));
        }
        self.shots.push((quality, embedding.vector));
    }

    /// How many shots there are.
    pub fn len(&self) -> usize {
        self.shots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shots.is_empty()
    }

    /// The mean of the shots, weighted by quality, of unit length; none without shots.
    pub fn fused(&self) -> Option<Embedding> {
        let (_, first) = self.shots.first()?;
        let mut vector = vec![0.0; first.len()];
        for (quality, shot) in &self.shots {
            vector
                .iter_mut()
                .zip(shot)
                .for_each(|(sum, value)| *sum += quality.0 * value);
        }
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        (length > 1e-6).then(|| {
            vector.iter_mut().for_each(|v| *v /= length);
            Embedding {
                model: self.model.clone(),
                vector,
            }
        })
    }

    /// How many shots are at least this similar to a unit vector.
    pub fn agreeing(&self, vector: &[f32], similarity: f32) -> u32 {
        let dot = |shot: &[f32]| shot.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
        self.shots.iter().filter(|(_, shot)| dot(shot) >= similarity).count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shot(vector: [f32; 2]) -> Embedding {
        Embedding {
            model: "m".into(),
            vector: vector.into(),
        }
    }

    #[test]
    fn the_best_are_kept_and_fused_by_quality() {
        let mut shots = BestShots::default();
        assert!(shots.fused().is_none() && shots.wants(Quality(0.01)));
        shots.add(Quality(0.9), shot([1.0, 0.0]));
        shots.add(Quality(0.1), shot([0.0, 1.0]));
        let fused = shots.fused().unwrap().vector;
        assert!(
            fused[0] > 0.99 && (fused[0].hypot(fused[1]) - 1.0).abs() < 1e-5,
            "{fused:?}"
        );
        for _ in 0..3 {
            shots.add(Quality(0.5), shot([1.0, 0.0]));
        }
        assert!(shots.is_full() && !shots.wants(Quality(0.1)) && shots.wants(Quality(0.2)));
        shots.add(Quality(0.6), shot([1.0, 0.0]));
        assert_eq!(
            (shots.len(), shots.agreeing(&[1.0, 0.0], 0.99)),
            (5, 5),
            "the worst did not go"
        );
    }

    #[test]
    fn shots_of_another_model_begin_anew() {
        let mut shots = BestShots::default();
        shots.add(Quality(0.9), shot([1.0, 0.0]));
        shots.add(
            Quality(0.2),
            Embedding {
                model: "other".into(),
                vector: vec![0.0, 1.0],
            },
        );
        assert_eq!((shots.len(), shots.fused().unwrap().model.as_str()), (1, "other"));
    }
}
