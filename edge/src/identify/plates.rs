//! The plates of all lists. Invariant: an entry with a colour is hit only by a plate of that colour or of none that
//! could be told, since a plate belongs to its owner and not to the vehicle.

use crate::decide::PlateHit;
use vong_models::plate::grammar::Grammar;
use vong_wire::{ListId, ListKind, PlateColour, PlateEntry, PlateMatch, Severity, WatchlistBundle};

/// Most cost by the reader's confusions, nats, at which plates are near: one likely pair of look-alikes.
const NEAR: f32 = 3.0;

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

    /// Entries that a plate agrees with, the best of each list.
    pub fn hits(&self, plate: &str, colour: PlateColour) -> Vec<PlateHit> {
        let hit = |(list, severity, entries): &(ListId, Severity, Vec<PlateEntry>)| {
            let fits = |entry: &&PlateEntry| {
                colour == PlateColour::Unknown || entry.colour.is_none_or(|wanted| wanted == colour)
            };
            let candidates = || entries.iter().filter(fits);
            let exact = candidates()
                .find(|entry| entry.plate == plate)
                .map(|entry| (entry, PlateMatch::Exact));
            let near = || {
                let entry =
                    candidates().find(|entry| Grammar::vietnam().confusion_cost(plate, &entry.plate) <= NEAR)?;
                Some((entry, PlateMatch::Near))
            };
            exact.or_else(near).map(|(entry, matched)| PlateHit {
                list: list.clone(),
                entry: entry.id.clone(),
                severity: *severity,
                matched,
            })
        };
        self.lists.iter().filter_map(hit).collect()
    }
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
                .hits(plate, PlateColour::White)
                .first()
                .map(|hit| hit.matched)
        };
        assert_eq!(matched("60A66688"), Some(PlateMatch::Exact));
        assert_eq!(matched("60A6668B"), Some(PlateMatch::Near));
        assert_eq!(matched("60A66611"), None);
        assert_eq!(matched("60A6668"), None);
    }

    #[test]
    fn a_colour_narrows_an_entry_to_a_vehicle() {
        let hits = |seen| lists(Some(PlateColour::Yellow)).hits("60A66688", seen).len();
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
