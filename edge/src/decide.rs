//! What follows from what was seen: events, and alerts where a list says so. Invariant: one passage of one person or
//! vehicle makes at most one alert of an entry, however often its track breaks.

use std::collections::HashMap;
use vong_wire::{
    Alert, AlertCause, BootId, CameraId, Crossing, EntryId, Event, EventBody, EventId, ListId, PlateMatch, PlateSeen,
    Recognition, Severity, UnixMs,
};

use crate::outbox::Draft;

/// A track that breaks and is found again within this time is the same passage to an operator.
const SAME_PASSAGE_MS: UnixMs = 30_000;

/// A plate that agrees with an entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct PlateHit {
    /// The list.
    pub list: ListId,
    /// The entry.
    pub entry: EntryId,
    /// How urgent.
    pub severity: Severity,
    /// Exact or near.
    pub matched: PlateMatch,
}

/// Turns what one camera saw into messages.
#[derive(Debug, Clone)]
pub struct Decider {
    boot: BootId,
    camera: CameraId,
    alerted: HashMap<(ListId, EntryId), UnixMs>,
}

impl Decider {
    /// For a camera in this start of the device.
    pub fn new(boot: BootId, camera: CameraId) -> Self {
        Self {
            boot,
            camera,
            alerted: HashMap::new(),
        }
    }

    /// A line was crossed.
    pub fn crossing(&self, at_ms: UnixMs, crossing: Crossing) -> Draft {
        Draft::Event(self.event(at_ms, EventBody::Crossing(crossing)))
    }

    /// A face was recognised. `picture` makes the evidence only if an alert follows.
    pub fn recognition(
        &mut self,
        at_ms: UnixMs,
        seen: Recognition,
        severity: Severity,
        picture: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Vec<Draft> {
        let cause = AlertCause::Face {
            list: seen.list.clone(),
            entry: seen.entry.clone(),
            similarity: seen.similarity,
            threshold: seen.threshold,
        };
        let key = (seen.list.clone(), seen.entry.clone());
        let event = self.event(at_ms, EventBody::Recognition(seen));
        let alerts = vec![(key, severity, cause)];
        self.with_alerts(event, alerts, picture)
    }

    /// A plate was read; `hits` are the entries that it agrees with.
    pub fn plate(
        &mut self,
        at_ms: UnixMs,
        seen: PlateSeen,
        hits: Vec<PlateHit>,
        picture: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Vec<Draft> {
        let plate = seen.plate.clone();
        let event = self.event(at_ms, EventBody::Plate(seen));
        let alerts = hits.into_iter().map(|hit| {
            let key = (hit.list.clone(), hit.entry.clone());
            let cause = AlertCause::Plate {
                list: hit.list,
                entry: hit.entry,
                plate: plate.clone(),
                matched: hit.matched,
            };
            (key, hit.severity, cause)
        });
        self.with_alerts(event, alerts.collect(), picture)
    }

    fn event(&self, at_ms: UnixMs, body: EventBody) -> Event {
        Event {
            id: EventId::generate(),
            seq: 0,
            boot: self.boot,
            camera: self.camera.clone(),
            camera_time_ms: at_ms,
            sent_ms: 0,
            replayed: false,
            body,
        }
    }

    fn with_alerts(
        &mut self,
        event: Event,
        causes: Vec<((ListId, EntryId), Severity, AlertCause)>,
        picture: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Vec<Draft> {
        let (at_ms, event_id) = (event.camera_time_ms, event.id);
        self.alerted.retain(|_, last| at_ms - *last < SAME_PASSAGE_MS);
        let fresh: Vec<_> = causes
            .into_iter()
            .filter(|(key, ..)| self.alerted.insert(key.clone(), at_ms).is_none())
            .collect();
        let jpeg = if fresh.is_empty() { None } else { picture() };
        let mut drafts = vec![Draft::Event(event)];
        for (_, severity, cause) in fresh {
            let alert = Alert {
                id: EventId::generate(),
                seq: 0,
                boot: self.boot,
                camera: self.camera.clone(),
                camera_time_ms: at_ms,
                sent_ms: 0,
                replayed: false,
                event: event_id,
                severity,
                has_evidence: jpeg.is_some(),
                cause,
            };
            let alert_id = alert.id;
            drafts.push(Draft::Alert(alert));
            drafts.extend(jpeg.clone().map(|jpeg| Draft::Evidence { alert: alert_id, jpeg }));
        }
        drafts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(entry: &str) -> Recognition {
        Recognition {
            track: 1,
            list: ListId::new("wanted").unwrap(),
            entry: EntryId::new(entry).unwrap(),
            bundle_version: 1,
            similarity: 0.95,
            threshold: 0.9,
            shots: 3,
        }
    }

    fn alerts(drafts: &[Draft]) -> usize {
        drafts.iter().filter(|draft| matches!(draft, Draft::Alert(_))).count()
    }

    #[test]
    fn a_broken_track_alerts_once_and_a_later_passage_again() {
        let mut decider = Decider::new(BootId::generate(), CameraId::new("gate").unwrap());
        let mut at = |at_ms, entry| decider.recognition(at_ms, seen(entry), Severity::Alarm, || Some(vec![1]));
        let first = at(1_000, "a");
        assert_eq!((first.len(), alerts(&first)), (3, 1));
        assert_eq!(alerts(&at(5_000, "a")), 0);
        assert_eq!(alerts(&at(6_000, "b")), 1);
        // Seen all the time: each sighting keeps the passage alive.
        assert_eq!(alerts(&at(30_000, "a")), 0);
        assert_eq!(alerts(&at(61_000, "a")), 1);
    }

    #[test]
    fn evidence_is_made_only_for_an_alert() {
        let mut decider = Decider::new(BootId::generate(), CameraId::new("lane").unwrap());
        let plate = PlateSeen {
            track: 1,
            plate: "60A66666".into(),
            raw: "60A-666.66".into(),
            class: "car".into(),
            colour: vong_wire::PlateColour::White,
            lines: 1,
            confidence: 0.9,
            readings: 3,
        };
        let drafts = decider.plate(1, plate.clone(), vec![], || panic!("no alert needs no picture"));
        assert_eq!((drafts.len(), alerts(&drafts)), (1, 0));
        let hit = PlateHit {
            list: ListId::new("banned").unwrap(),
            entry: EntryId::new("x").unwrap(),
            severity: Severity::Alarm,
            matched: PlateMatch::Exact,
        };
        let drafts = decider.plate(2, plate, vec![hit], || None);
        let Draft::Alert(alert) = &drafts[1] else {
            panic!("the alert follows its event")
        };
        let Draft::Event(event) = &drafts[0] else {
            panic!("the event comes first")
        };
        assert_eq!((alert.event, alert.has_evidence, drafts.len()), (event.id, false, 2));
    }
}
