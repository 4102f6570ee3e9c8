//! A similarity means less for a face that is like many. Invariant: the score of a usual probe and a usual entry is their
//! cosine, so that thresholds keep their meaning; a list too short to know what is usual gives cosines as they are.
//!
//! Symmetric score normalisation with the nearest of a cohort (Kenny 2010; Matějka 2017), the cohort being the list's own
//! other entries: how like the probe is to the nearest of them, and how like the entry is, is taken off by a small share.
//! Means only, no deviations: those of five neighbours are noise. Measured in `docs/accuracy-choices.md`.

use super::flat::{FlatRows, Near};
use std::sync::OnceLock;

/// Neighbours whose mean says how crowded it is around a face.
const NEIGHBOURS: usize = 5;
/// Rows that one search gives: the best, and room for two more photographs of its entry beside the neighbours.
pub(super) const AT_ONCE: usize = NEIGHBOURS + 3;
/// Share of the crowdedness that is taken off, once for the probe and once for the entry.
const WEIGHT: f32 = 0.15;
/// Entries from which on a list knows what is usual; shorter ones gained nothing by it.
const LEAST_ENTRIES: usize = 100;
/// Entries looked at to learn what is usual.
const SAMPLE: usize = 64;

/// What is known of a list's crowdedness; filled as it is asked for.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    usual: OnceLock<Option<f32>>,
    of_entry: Vec<OnceLock<f32>>,
}

impl Crowd {
    /// Makes room for one more entry.
    pub(super) fn push(&mut self) {
        self.of_entry.push(OnceLock::new());
    }

    /// The score of a probe against an entry of this cosine. `owner` gives the entry of each row, `near` the rows nearest
    /// to the probe, without a gap: only where they are mostly the entry's own the list is searched again.
    pub(super) fn score(
        &self,
        (rows, owner): (&FlatRows, &[u32]),
        (entry, cosine): (u32, f32),
        probe: &[f32],
        near: &[Option<Near>],
    ) -> f32 {
        let Some(usual) = *self.usual.get_or_init(|| self.usual(rows, owner)) else {
            return cosine;
        };
        let of_others = near
            .iter()
            .filter(|near| near.is_none_or(|near| owner[near.row] != entry));
        let Some(around_probe) = mean(of_others.copied()).or_else(|| around(rows, owner, entry, probe)) else {
            return cosine;
        };
        let around_entry = self.around_entry(rows, owner, entry).unwrap_or(usual);
        cosine - WEIGHT * (around_probe - usual) - WEIGHT * (around_entry - usual)
    }

    /// The mean crowdedness of entries spread over the list; none if it is too short.
    fn usual(&self, rows: &FlatRows, owner: &[u32]) -> Option<f32> {
        let entries = self.of_entry.len();
        if entries < LEAST_ENTRIES {
            return None;
        }
        let known: Vec<f32> = (0..SAMPLE)
            .filter_map(|n| self.around_entry(rows, owner, (n * entries / SAMPLE) as u32))
            .collect();
        (!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32)
    }

    /// How crowded it is around an entry: the mean over its photographs. None for one without.
    fn around_entry(&self, rows: &FlatRows, owner: &[u32], entry: u32) -> Option<f32> {
        let slot = &self.of_entry[entry as usize];
        if let Some(known) = slot.get() {
            return Some(*known);
        }
        let own = owner.iter().zip(rows.rows()).filter(|(of, _)| **of == entry);
        let around: Vec<f32> = own.filter_map(|(_, row)| around(rows, owner, entry, row)).collect();
        if around.is_empty() {
            return None;
        }
        Some(*slot.get_or_init(|| around.iter().sum::<f32>() / around.len() as f32))
    }
}

/// Mean cosine of the nearest rows of other entries; none if there are not enough.
fn around(rows: &FlatRows, owner: &[u32], entry: u32, vector: &[f32]) -> Option<f32> {
    let nearest: [_; NEIGHBOURS] = rows.nearest(vector, |row, _| owner[row] != entry);
    mean(nearest.into_iter())
}

/// Mean cosine of the first neighbours; none if there are not enough.
fn mean(mut nearest: impl Iterator<Item = Option<Near>>) -> Option<f32> {
    let mut sum = 0.0;
    for _ in 0..NEIGHBOURS {
        sum += nearest.next()??.similarity;
    }
    Some(sum / NEIGHBOURS as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of one crowd of alike faces and of lone ones, each a unit vector of 8 values, deterministic.
    fn list(alike: usize, lone: usize) -> (FlatRows, Vec<u32>, Crowd) {
        let (mut rows, mut crowd) = (FlatRows::new(8), Crowd::default());
        for n in 0..alike + lone {
            rows.push(&face(n, if n < alike { 0.3 } else { 4.0 }));
            crowd.push();
        }
        (rows, (0..(alike + lone) as u32).collect(), crowd)
    }

    fn face(seed: usize, apart: f32) -> [f32; 8] {
        let mut state = seed as u64 * 7919 + 1;
        let mut vector: [f32; 8] = std::array::from_fn(|place| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * apart;
            f32::from(u8::from(place == 0)) + noise
        });
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|v| *v /= length);
        vector
    }

    #[test]
    fn a_short_list_gives_cosines() {
        let (rows, owner, crowd) = list(20, LEAST_ENTRIES - 21);
        let score = crowd.score((&rows, &owner[..]), (3, 0.7), &face(500, 0.3), &[]);
        assert!((score - 0.7).abs() < 1e-9);
    }

    #[test]
    fn a_face_in_the_crowd_is_believed_less_than_a_lone_one() {
        let (rows, owner, crowd) = list(20, 180);
        let in_crowd = crowd.score((&rows, &owner[..]), (3, 0.7), &face(500, 0.3), &[]);
        let alone = crowd.score((&rows, &owner[..]), (150, 0.7), &face(501, 4.0), &[]);
        assert!(in_crowd < 0.69, "{in_crowd}");
        assert!(alone > in_crowd + 0.02 && (alone - 0.7).abs() < 0.1, "{alone}");
    }

    #[test]
    fn the_photographs_of_one_entry_are_no_crowd() {
        let (mut rows, mut owner, mut crowd) = list(0, 150);
        for n in 0..10 {
            rows.push(&face(1000 + n, 0.05));
            owner.push(150);
        }
        crowd.push();
        let score = crowd.score((&rows, &owner[..]), (150, 0.9), &face(2000, 0.05), &[]);
        // Ten photographs nearly alike, all its own: only the other 150 are its surroundings.
        assert!(around(&rows, &owner, 150, &face(2000, 0.05)).unwrap() < 0.95);
        assert!(around(&rows, &owner, u32::MAX, &face(2000, 0.05)).unwrap() > 0.95);
        assert!((score - 0.9).abs() < 0.15, "{score}");
    }
}
