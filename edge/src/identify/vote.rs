//! When a track is believed to be an entry: its shots together reach the list's threshold, and several of them agree.
//! One lucky shot among many is not enough, and an entry is told once a track.

use super::gallery::{FaceMatch, Gallery};
use crate::recognise::BestShots;
use vong_wire::{EntryId, ListId};

/// Shots that must agree while the track goes on.
const LEAST_SHOTS: usize = 2;
/// Shots that agree lie at most this far below the threshold: single shots vary more than their mean.
const SHOT_SLACK: f32 = 0.02;

/// The vote of one track.
#[derive(Debug, Default)]
pub struct IdentityVote {
    told: Vec<(ListId, EntryId)>,
    version: u64,
}

impl IdentityVote {
    /// What is newly believed, with the number of shots that agree.
    pub fn decide(&mut self, shots: &BestShots, gallery: &Gallery) -> Vec<(FaceMatch, u32)> {
        if self.version != gallery.version() {
            // An entry that was taken off a list and put back is another matter.
            self.told.clear();
            self.version = gallery.version();
        }
        if shots.len() < LEAST_SHOTS {
            return Vec::new();
        }
        let Some(fused) = shots.fused() else { return Vec::new() };
        let mut believed = Vec::new();
        for best in gallery.search(&fused) {
            let key = (best.list.clone(), best.entry.clone());
            let agreeing = gallery
                .vectors(&best.list, &best.entry)
                .map(|vector| shots.agreeing(vector, best.threshold + best.cosine - best.similarity - SHOT_SLACK))
                .max()
                .unwrap_or(0);
            if agreeing as usize * 2 > shots.len() && agreeing as usize >= LEAST_SHOTS && !self.told.contains(&key) {
                self.told.push(key);
                believed.push((best, agreeing));
            }
        }
        believed
    }

    /// Whether the track has hit any list.
    pub fn is_hit(&self) -> bool {
        !self.told.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recognise::Quality;
    use vong_models::face::Embedding;
    use vong_wire::{FaceEntry, ListKind, Severity, Watchlist, WatchlistBundle};

    fn gallery(version: u64) -> Gallery {
        let entry = FaceEntry {
            id: EntryId::new("a").unwrap(),
            embeddings: vec![vec![1.0, 0.0]],
            not_this: vec![],
        };
        let kind = ListKind::Faces {
            model: "m".into(),
            threshold: Some(0.9),
            entries: vec![entry],
        };
        let list = Watchlist {
            id: ListId::new("wanted").unwrap(),
            severity: Severity::Alarm,
            exercise: false,
            kind,
        };
        Gallery::new(
            &WatchlistBundle {
                version,
                lists: vec![list],
            },
            "m",
            0.9,
        )
        .0
    }

    fn shots(vectors: &[[f32; 2]]) -> BestShots {
        let mut shots = BestShots::default();
        for vector in vectors {
            shots.add(
                Quality(0.5),
                Embedding {
                    model: "m".into(),
                    vector: vector.to_vec(),
                },
            );
        }
        shots
    }

    #[test]
    fn several_shots_must_agree_and_an_entry_is_told_once() {
        let (same, other) = ([1.0, 0.0], [0.6, 0.8]);
        let decide = |vectors: &[[f32; 2]]| IdentityVote::default().decide(&shots(vectors), &gallery(1)).len();
        assert_eq!(decide(&[same]), 0);
        assert_eq!(decide(&[same, same]), 1);
        assert_eq!(decide(&[same, same, other, other]), 0);
        assert_eq!(decide(&[other, other]), 0);
        let mut vote = IdentityVote::default();
        assert_eq!(vote.decide(&shots(&[same, same]), &gallery(1)).len(), 1);
        assert_eq!(vote.decide(&shots(&[same, same, same]), &gallery(1)).len(), 0);
        assert_eq!(vote.decide(&shots(&[same, same, same]), &gallery(2)).len(), 1);
    }
}
