//! The faces of all lists, searched exactly.

use super::crowd::{AT_ONCE, Crowd};
use super::flat::{FlatRows, Near, dot};
use vong_models::face::Embedding;
use vong_wire::{EntryId, ListId, ListKind, Severity, WatchlistBundle};

/// Why a list cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GalleryError {
    /// Its embeddings come from another model.
    #[error(
        "list `{list}` holds embeddings of `{found}`, this device uses `{expected}`; central must embed its photographs again"
    )]
    OtherModel {
        /// The list.
        list: ListId,
        /// The model of this device.
        expected: String,
        /// The model of the list.
        found: String,
    },
    /// An embedding has the wrong length.
    #[error(
        "list `{list}`, entry `{entry}`: an embedding has {found} values instead of {expected}; central must embed its photographs again"
    )]
    Length {
        /// The list.
        list: ListId,
        /// The entry.
        entry: EntryId,
        /// Values of the first embedding.
        expected: usize,
        /// Values of this one.
        found: usize,
    },
}

/// The best entry of one list.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceMatch {
    /// The list.
    pub list: ListId,
    /// The entry.
    pub entry: EntryId,
    /// How urgent a hit is.
    pub severity: Severity,
    /// Cosine similarity, -1 to 1, less what is unusual about how like others the two are; see `crowd`.
    pub similarity: f32,
    /// Cosine similarity itself.
    pub cosine: f32,
    /// The list's threshold, for [`Self::similarity`].
    pub threshold: f32,
}

#[derive(Debug)]
struct List {
    id: ListId,
    severity: Severity,
    threshold: f32,
    entries: Vec<EntryId>,
    /// Entry of each row.
    owner: Vec<u32>,
    rows: FlatRows,
    crowd: Crowd,
    /// Entry and vector of persons confirmed not to be it.
    negative: Vec<(u32, Vec<f32>)>,
}

/// The faces of a bundle.
#[derive(Debug, Default)]
pub struct Gallery {
    version: u64,
    model: String,
    width: usize,
    lists: Vec<List>,
}

impl Gallery {
    /// Takes up the face lists of a bundle that fit the model; the others are told, each with its fault.
    pub fn new(bundle: &WatchlistBundle, model: &str, default_threshold: f32) -> (Self, Vec<GalleryError>) {
        let mut gallery = Self {
            version: bundle.version,
            model: model.to_string(),
            ..Self::default()
        };
        let mut faults = Vec::new();
        for list in &bundle.lists {
            let ListKind::Faces {
                model: list_model,
                threshold,
                entries,
            } = &list.kind
            else {
                continue;
            };
            if list_model != model {
                faults.push(GalleryError::OtherModel {
                    list: list.id.clone(),
                    expected: model.to_string(),
                    found: list_model.clone(),
                });
                continue;
            }
            let mut taken = List {
                id: list.id.clone(),
                severity: list.severity,
                threshold: threshold.unwrap_or(default_threshold),
                entries: Vec::new(),
                owner: Vec::new(),
                rows: FlatRows::new(gallery.width),
                crowd: Crowd::default(),
                negative: Vec::new(),
            };
            for entry in entries {
                let index = taken.entries.len() as u32;
                taken.entries.push(entry.id.clone());
                taken.crowd.push();
                for (vector, positive) in entry
                    .embeddings
                    .iter()
                    .map(|v| (v, true))
                    .chain(entry.not_this.iter().map(|v| (v, false)))
                {
                    if gallery.width == 0 {
                        gallery.width = vector.len();
                        taken.rows = FlatRows::new(gallery.width);
                    }
                    if vector.len() != gallery.width || vector.is_empty() {
                        faults.push(GalleryError::Length {
                            list: list.id.clone(),
                            entry: entry.id.clone(),
                            expected: gallery.width,
                            found: vector.len(),
                        });
                    } else if positive {
                        taken.owner.push(index);
                        taken.rows.push(vector);
                    } else {
                        taken.negative.push((index, vector.clone()));
                    }
                }
            }
            gallery.lists.push(taken);
        }
        (gallery, faults)
    }

    /// Version of the bundle.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is nobody to look for.
    pub fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| list.owner.is_empty())
    }

    /// The best entry of each list that reaches its list's threshold; none is the answer "unknown". A probe that is
    /// more like a confirmed other person than like the entry is not the entry.
    pub fn search(&self, probe: &Embedding) -> Vec<FaceMatch> {
        if probe.model != self.model || probe.vector.len() != self.width {
            return Vec::new();
        }
        self.lists
            .iter()
            .filter_map(|list| list.best(&probe.vector))
            .filter(|best| best.similarity >= best.threshold)
            .collect()
    }

    /// The best entry of each list whatever its similarity, for measuring.
    pub fn nearest(&self, probe: &Embedding) -> Vec<FaceMatch> {
        if probe.model != self.model || probe.vector.len() != self.width {
            return Vec::new();
        }
        self.lists.iter().filter_map(|list| list.best(&probe.vector)).collect()
    }

    /// The vectors of an entry, for counting the shots that agree with it.
    pub fn vectors<'g>(&'g self, list: &ListId, entry: &EntryId) -> impl Iterator<Item = &'g [f32]> {
        let list = self.lists.iter().find(|candidate| candidate.id == *list);
        let wanted = list.and_then(|list| list.entries.iter().position(|id| id == entry));
        list.into_iter()
            .flat_map(move |list| {
                let owners = list.owner.iter();
                owners
                    .zip(list.rows.rows())
                    .filter(move |(owner, _)| Some(**owner as usize) == wanted)
            })
            .map(|(_, row)| row)
    }
}

impl List {
    fn best(&self, probe: &[f32]) -> Option<FaceMatch> {
        let near: [Option<Near>; AT_ONCE] = self.rows.nearest(probe, |_, _| true);
        let allowed = |near: &Near| !self.denied(self.owner[near.row], probe, near.similarity);
        // One without a denied entry is found at once; else those further away are asked.
        let nearest = match near.iter().flatten().copied().find(allowed) {
            None if near[AT_ONCE - 1].is_some() => self.nearest_allowed(probe),
            found => found,
        }?;
        let owner = self.owner[nearest.row];
        let list = (&self.rows, self.owner.as_slice());
        Some(FaceMatch {
            list: self.id.clone(),
            entry: self.entries[owner as usize].clone(),
            severity: self.severity,
            similarity: self.crowd.score(list, (owner, nearest.similarity), probe, &near),
            cosine: nearest.similarity,
            threshold: self.threshold,
        })
    }

    fn nearest_allowed(&self, probe: &[f32]) -> Option<Near> {
        let may = |row: usize, similarity: f32| !self.denied(self.owner[row], probe, similarity);
        let [nearest] = self.rows.nearest(probe, may);
        nearest
    }

    fn denied(&self, owner: u32, probe: &[f32], similarity: f32) -> bool {
        self.negative
            .iter()
            .any(|(entry, vector)| *entry == owner && dot(vector, probe) > similarity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vong_wire::{FaceEntry, Watchlist};

    fn entry<const N: usize>(id: &str, embeddings: &[[f32; N]], not_this: &[[f32; N]]) -> FaceEntry {
        let vectors = |rows: &[[f32; N]]| rows.iter().map(|row| row.to_vec()).collect();
        FaceEntry {
            id: EntryId::new(id).unwrap(),
            embeddings: vectors(embeddings),
            not_this: vectors(not_this),
        }
    }

    fn bundle(model: &str, entries: Vec<FaceEntry>) -> WatchlistBundle {
        let kind = ListKind::Faces {
            model: model.into(),
            threshold: Some(0.9),
            entries,
        };
        let list = Watchlist {
            id: ListId::new("wanted").unwrap(),
            severity: Severity::Alarm,
            exercise: false,
            kind,
        };
        WatchlistBundle {
            version: 4,
            lists: vec![list],
        }
    }

    fn probe(vector: [f32; 2]) -> Embedding {
        Embedding {
            model: "m".into(),
            vector: vector.into(),
        }
    }

    fn found(gallery: &Gallery, vector: [f32; 2]) -> Option<String> {
        gallery
            .search(&probe(vector))
            .first()
            .map(|best| best.entry.to_string())
    }

    #[test]
    fn the_best_photograph_of_any_entry_wins_and_a_stranger_is_unknown() {
        let entries = vec![
            entry("a", &[[1.0, 0.0], [0.8, 0.6]], &[]),
            entry("b", &[[0.0, 1.0]], &[]),
        ];
        let (gallery, faults) = Gallery::new(&bundle("m", entries), "m", 0.5);
        assert!(faults.is_empty() && !gallery.is_empty() && gallery.version() == 4);
        assert_eq!(found(&gallery, [0.8, 0.6]).as_deref(), Some("a"));
        assert_eq!(found(&gallery, [0.0, 1.0]).as_deref(), Some("b"));
        assert_eq!(found(&gallery, [-1.0, 0.0]), None);
        let (list, entry) = (ListId::new("wanted").unwrap(), EntryId::new("a").unwrap());
        assert_eq!(gallery.vectors(&list, &entry).count(), 2);
    }

    #[test]
    fn somebody_confirmed_to_be_another_is_not_the_entry() {
        let (gallery, _) = Gallery::new(&bundle("m", vec![entry("a", &[[1.0, 0.0]], &[[0.96, 0.28]])]), "m", 0.5);
        assert_eq!(found(&gallery, [1.0, 0.0]).as_deref(), Some("a"));
        assert_eq!(found(&gallery, [0.96, 0.28]), None);
    }

    proptest! {
        /// Entries of one photograph and of a dozen, some of them denied for what is like the probe.
        #[test]
        fn one_search_says_what_separate_ones_say(
            people in prop::collection::vec((unit(), 1_usize..12, any::<bool>()), 2..140),
            probe in unit(),
            spread in 0.0_f32..0.5,
        ) {
            let entries = people.iter().enumerate().map(|(n, (centre, photographs, denied))| {
                let photograph = |k: usize| std::array::from_fn(|i| centre[i] + spread * ((n * 31 + k * 7 + i) % 13) as f32 / 13.0);
                let shots: Vec<[f32; 6]> = (0..*photographs).map(photograph).collect();
                let not_this = if *denied { vec![probe] } else { vec![] };
                entry(&format!("e{n}"), &shots, &not_this)
            });
            let (gallery, _) = Gallery::new(&bundle("m", entries.collect()), "m", 0.5);
            let list = &gallery.lists[0];
            let best = list.best(&probe);
            let alone = list.nearest_allowed(&probe);
            prop_assert_eq!(best.as_ref().map(|best| best.cosine), alone.map(|near| near.similarity));
            if let (Some(best), Some(near)) = (best, alone) {
                let owner = list.owner[near.row];
                prop_assert_eq!(&best.entry, &list.entries[owner as usize]);
                let rows = (&list.rows, &list.owner[..]);
                let score = list.crowd.score(rows, (owner, near.similarity), &probe, &[]);
                prop_assert_eq!(best.similarity, score);
            }
        }
    }

    fn unit() -> impl Strategy<Value = [f32; 6]> {
        prop::array::uniform6(-1.0_f32..1.0).prop_map(|values| {
            let length = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(0.01);
            values.map(|value| value / length)
        })
    }

    #[test]
    fn lists_of_another_model_or_length_are_refused_and_named() {
        let (gallery, faults) = Gallery::new(&bundle("other", vec![entry("a", &[[1.0, 0.0]], &[])]), "m", 0.5);
        assert!(gallery.is_empty() && faults[0].to_string().contains("wanted"));
        let mut bad = bundle("m", vec![entry("a", &[[1.0, 0.0]], &[])]);
        if let ListKind::Faces { entries, .. } = &mut bad.lists[0].kind {
            entries[0].embeddings.push(vec![1.0]);
        }
        let (gallery, faults) = Gallery::new(&bad, "m", 0.5);
        assert_eq!((faults.len(), gallery.is_empty()), (1, false));
        assert!(
            gallery
                .search(&Embedding {
                    model: "other".into(),
                    vector: vec![1.0, 0.0]
                })
                .is_empty()
        );
    }
}
