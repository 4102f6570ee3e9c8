//! The plates of all lists. Invariant: an entry with a colour is hit only by a plate of that colour or of none that
//! could be told, since a plate belongs to its owner and not to the vehicle.

use crate::decide::PlateHit;
use vong_models::plate::grammar::Grammar;
use vong_wire::{ListId, ListKind, PlateColour, PlateEntry, PlateMatch, Severity, WatchlistBundle};

/// Most cost by the reader's confusions, nats, at which plates are near: one likely pair of look-alikes.
const NEAR: f32 = 3.0;
/// Least probability of a second thought of the reader that is held against the lists.
const SECOND_THOUGHT: f32 = 0.1;

/// The plate lists of a bundle.
#[derive(Debug, Default)]
pub struct PlateLists {
    lists: Vec<(ListId, Severity, Vec<PlateEntry>)>,
}

impl PlateLists {
    /// Takes up the plate lists of a bundle.
    pub fn new(bundle: &WatchlistBundle) -> Self {
        let lists = bundle.lists.iter().filter_map(|list| match &list.kind {
            ListKind::Plates { entries } => Some((list.id.clone(), list.severity, entries.clone())),
            ListKind::Faces { .. } => None,
        });
        Self { lists: lists.collect() }
    }

    /// Entries that a plate agrees with, the best of each list. Exact is what was read; near is what the reader may have
    /// taken for it: a likely pair of look-alikes, or a plate among `others`, what else was read with its probability.
    pub fn hits(&self, plate: &str, others: &[(String, f32)], colour: PlateColour) -> Vec<PlateHit> {
        let hit = |(list, severity, entries): &(ListId, Severity, Vec<PlateEntry>)| {
            let fits = |entry: &&PlateEntry| {
                colour == PlateColour::Unknown || entry.colour.is_none_or(|wanted| wanted == colour)
            };
            let (entry, cost) = entries
                .iter()
                .filter(fits)
                .map(|entry| (entry, cost_of(plate, others, &entry.plate)))
                .min_by(|a, b| a.1.total_cmp(&b.1))?;
            let matched = match cost {
                0.0 => PlateMatch::Exact,
                _ if cost <= NEAR => PlateMatch::Near,
                _ => return None,
            };
            Some(PlateHit {
                list: list.clone(),
                entry: entry.id.clone(),
                severity: *severity,
                matched,
            })
        };
        self.lists.iter().filter_map(hit).collect()
    }
}

/// Nats between what was read and an entry: 0 only for the same plate.
fn cost_of(plate: &str, others: &[(String, f32)], wanted: &str) -> f32 {
    if plate == wanted {
        return 0.0;
    }
    let thought = others
        .iter()
        .filter(|(other, p)| other == wanted && *p >= SECOND_THOUGHT)
        .map(|(_, p)| -p.min(0.99).ln());
    let alike = Grammar::vietnam().confusion_cost(plate, wanted);
    thought.fold(alike, f32::min).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_wire::{EntryId, Watchlist};

    fn lists(colour: Option<PlateColour>) -> PlateLists {
        let entry = PlateEntry {
            id: EntryId::new("x").unwrap(),
            plate: "60A66688".into(),
            colour,
        };
        let kind = ListKind::Plates { entries: vec![entry] };
        let list = Watchlist {
            id: ListId::new("banned").unwrap(),
            severity: Severity::Alarm,
            exercise: true,
            kind,
        };
        PlateLists::new(&WatchlistBundle {
            version: 1,
            lists: vec![list],
        })
    }

    #[test]
    fn an_alert_says_exact_or_near_and_a_different_plate_is_none() {
        let matched = |plate| {
            lists(None)
                .hits(plate, &[], PlateColour::White)
                .first()
                .map(|hit| hit.matched)
        };
        assert_eq!(matched("60A66688"), Some(PlateMatch::Exact));
        assert_eq!(matched("60A6668B"), Some(PlateMatch::Near));
        assert_eq!(matched("60A66611"), None);
        assert_eq!(matched("60A6668"), None);
    }

    #[test]
    fn a_second_thought_of_the_reader_is_near() {
        let matched = |others: &[(&str, f32)]| {
            let others: Vec<_> = others.iter().map(|&(plate, p)| (plate.to_owned(), p)).collect();
            let hits = lists(None).hits("60A66611", &others, PlateColour::White);
            hits.first().map(|hit| hit.matched)
        };
        assert_eq!(matched(&[("60A66688", 0.3)]), Some(PlateMatch::Near));
        assert_eq!(matched(&[("60A66688", 0.02), ("60A66677", 0.4)]), None);
        assert_eq!(matched(&[]), None);
    }

    #[test]
    fn a_colour_narrows_an_entry_to_a_vehicle() {
        let hits = |seen| lists(Some(PlateColour::Yellow)).hits("60A66688", &[], seen).len();
        assert_eq!(
            (
                hits(PlateColour::Yellow),
                hits(PlateColour::White),
                hits(PlateColour::Unknown)
            ),
            (1, 0, 1)
        );
    }
}
