//! A batch put in order for writing: each row once, kinds apart, sorted. Invariant: two processes that write their groups
//! in this order touch rows they share in the same order, so that neither waits for the other in a ring.

use super::{Batch, EvidenceRow, Origin, Outcome, QuarantineRow, Record};
use crate::domain::LocalDay;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::Hash;
use vong_wire::{Alert, CameraId, Count, Direction, Event, EventBody, LineId, State};

/// A device, a camera or a line that a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place<'b> {
    pub(super) site: &'b str,
    pub(super) device: &'b str,
    pub(super) camera: Option<&'b str>,
    pub(super) line: Option<&'b str>,
}

/// What makes a minute of a line one row; in the order of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct MinuteKey<'b> {
    pub(super) minute_ms: i64,
    pub(super) site: &'b str,
    pub(super) device: &'b str,
    pub(super) camera: &'b str,
    pub(super) line: &'b str,
    pub(super) epoch_ms: i64,
    pub(super) boot: uuid::Uuid,
}

/// The figures of a minute. Each only grows while a device tells of it, so the larger of two is the later one, in whatever
/// order they come: joining is commutative and idempotent. Doubts may shrink, as more of a minute was seen: they are those
/// of the later telling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minute {
    /// The record that told the last of it.
    pub(super) index: usize,
    pub(super) entered: i64,
    pub(super) departed: i64,
    pub(super) total_in: i64,
    pub(super) total_out: i64,
    pub(super) coverage: f64,
    pub(super) in_sd: Option<f64>,
    pub(super) out_sd: Option<f64>,
    pub(super) received_ms: i64,
}

/// What makes a day of a line one row; in the order of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DayKey<'b> {
    pub(super) day: LocalDay,
    pub(super) site: &'b str,
    pub(super) device: &'b str,
    pub(super) camera: &'b str,
    pub(super) line: &'b str,
}

/// A record of a kind with its place in the batch and its sender.
#[derive(Debug)]
pub(super) struct Item<'b, T> {
    pub(super) index: usize,
    pub(super) origin: &'b Origin,
    pub(super) what: &'b T,
}

/// A batch in order.
#[derive(Debug, Default)]
pub(super) struct Grouped<'b> {
    /// Records of the batch.
    pub(super) len: usize,
    pub(super) places: BTreeSet<Place<'b>>,
    pub(super) events: Vec<Item<'b, Event>>,
    /// With whether it is fresh enough to be an alarm.
    pub(super) alerts: Vec<(Item<'b, Alert>, bool)>,
    pub(super) minutes: BTreeMap<MinuteKey<'b>, Minute>,
    pub(super) evidence: Vec<Item<'b, EvidenceRow>>,
    /// By device; of a device in the order in which they came.
    pub(super) states: Vec<Item<'b, State>>,
    pub(super) quarantine: Vec<(usize, &'b QuarantineRow)>,
}

impl<'b> Grouped<'b> {
    pub(super) fn of(batch: &'b Batch) -> Self {
        let mut grouped = Self {
            len: batch.records.len(),
            ..Self::default()
        };
        let mut places = HashSet::new();
        let (mut events, mut alerts, mut pictures) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (index, record) in batch.records.iter().enumerate() {
            places.extend(place(record));
            match record {
                Record::Event(origin, what) if events.insert(what.id) => {
                    grouped.events.push(Item { index, origin, what });
                }
                Record::Alert(origin, what, live) if alerts.insert(what.id) => {
                    grouped.alerts.push((Item { index, origin, what }, *live));
                }
                Record::Evidence(origin, what) if pictures.insert(what.alert) => {
                    grouped.evidence.push(Item { index, origin, what });
                }
                Record::Event(..) | Record::Alert(..) | Record::Evidence(..) => {}
                Record::Count(origin, count) => grouped.join_minute(index, origin, count),
                Record::State(origin, what) => grouped.states.push(Item { index, origin, what }),
                Record::Quarantine(message) => grouped.quarantine.push((index, message)),
            }
        }
        grouped.places = places.into_iter().collect();
        grouped.events.sort_by_key(|item| item.what.id.0);
        grouped.alerts.sort_by_key(|(item, _)| item.what.id.0);
        grouped.evidence.sort_by_key(|item| item.what.alert.0);
        grouped
            .states
            .sort_by(|a, b| (&a.origin.site, &a.origin.device).cmp(&(&b.origin.site, &b.origin.device)));
        grouped
    }

    fn join_minute(&mut self, index: usize, origin: &'b Origin, count: &'b Count) {
        let key = MinuteKey {
            minute_ms: count.minute_ms,
            site: origin.site.as_str(),
            device: origin.device.as_str(),
            camera: count.camera.as_str(),
            line: count.line.as_str(),
            epoch_ms: count.epoch_ms,
            boot: count.boot.0,
        };
        let told = Minute {
            index,
            entered: i64::from(count.entered),
            departed: i64::from(count.left),
            total_in: count.total_in as i64,
            total_out: count.total_out as i64,
            coverage: f64::from(count.coverage),
            in_sd: count.in_sd.map(f64::from),
            out_sd: count.out_sd.map(f64::from),
            received_ms: origin.received_ms,
        };
        self.minutes
            .entry(key)
            .and_modify(|before| *before = before.join(told))
            .or_insert(told);
    }

    /// What became of the records if nothing was new but what cannot come twice.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Double; self.len];
        let always = self.states.iter().map(|item| item.index);
        for index in always.chain(self.quarantine.iter().map(|(index, _)| *index)) {
            outcomes[index] = Outcome::New;
        }
        outcomes
    }

    /// How far the events with these places in the batch move the days of their lines: inward and outward.
    pub(super) fn moves(&self, is_new: impl Fn(usize) -> bool) -> BTreeMap<DayKey<'b>, (i64, i64)> {
        let mut moves: BTreeMap<DayKey<'b>, (i64, i64)> = BTreeMap::new();
        for item in self.events.iter().filter(|item| is_new(item.index)) {
            let EventBody::Crossing(crossing) = &item.what.body else {
                continue;
            };
            let key = DayKey {
                day: LocalDay::of(item.what.camera_time_ms),
                site: item.origin.site.as_str(),
                device: item.origin.device.as_str(),
                camera: item.what.camera.as_str(),
                line: crossing.line.as_str(),
            };
            let (entered, departed) = moves.entry(key).or_default();
            match crossing.direction {
                Direction::In => *entered += 1,
                Direction::Out => *departed += 1,
            }
        }
        moves
    }
}

impl Minute {
    fn join(self, later: Self) -> Self {
        let told = |minute: &Self| (minute.total_in + minute.total_out, minute.coverage);
        let newer = if told(&later) > told(&self) { later } else { self };
        Self {
            index: later.index,
            entered: self.entered.max(later.entered),
            departed: self.departed.max(later.departed),
            total_in: self.total_in.max(later.total_in),
            total_out: self.total_out.max(later.total_out),
            coverage: self.coverage.max(later.coverage),
            in_sd: newer.in_sd,
            out_sd: newer.out_sd,
            received_ms: self.received_ms.max(later.received_ms),
        }
    }
}

/// The kind of an event as its column holds it.
pub(super) fn kind(event: &Event) -> &'static str {
    match event.body {
        EventBody::Crossing(_) => "crossing",
        EventBody::Recognition(_) => "recognition",
        EventBody::Plate(_) => "plate",
    }
}

fn place(record: &Record) -> Option<Place<'_>> {
    let (origin, camera, line) = match record {
        Record::Event(origin, event) => {
            let line = match &event.body {
                EventBody::Crossing(crossing) => Some(&crossing.line),
                EventBody::Recognition(_) | EventBody::Plate(_) => None,
            };
            (origin, Some(&event.camera), line)
        }
        Record::Alert(origin, alert, _) => (origin, Some(&alert.camera), None),
        Record::Count(origin, count) => (origin, Some(&count.camera), Some(&count.line)),
        Record::Evidence(origin, _) | Record::State(origin, _) => (origin, None, None),
        Record::Quarantine(_) => return None,
    };
    Some(Place {
        site: origin.site.as_str(),
        device: origin.device.as_str(),
        camera: camera.map(CameraId::as_str),
        line: line.map(LineId::as_str),
    })
}
