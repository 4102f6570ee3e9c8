//! The outbox against a plain list: whatever is appended, sent, acknowledged, given up for want of room or cut off by a
//! crash, the same is pending.

use super::tests::{alert, boot, count, crossing, key};
use super::*;
use proptest::prelude::*;
use vong_wire::Crossing;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Send { limit: usize },
    Acknowledge { nth: usize, wrong_id: bool },
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => proptest::collection::vec(0u8..5, 1..5).prop_map(Step::Append),
        2 => (1usize..5).prop_map(|limit| Step::Send { limit }),
        3 => (0usize..6, proptest::bool::weighted(0.2)).prop_map(|(nth, wrong_id)| Step::Acknowledge { nth, wrong_id }),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A message of the list.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    seq: u64,
    lane: i64,
    id: Option<EventId>,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Model {
    kept: Vec<Kept>,
    last: u64,
    given_up: [u64; 5],
    open: Option<(u32, u32)>,
    totals: (u64, u64),
}

impl Model {
    fn put(&mut self, draft: &Draft, length: u64) {
        self.last += 1;
        let (mut lane, id) = key(draft);
        if let Draft::Event(Event {
            body: EventBody::Crossing(Crossing { direction, .. }),
            ..
        }) = draft
        {
            lane = 3;
            let (entered, left) = self.open.get_or_insert((0, 0));
            match direction {
                Direction::In => (*entered, self.totals.0) = (*entered + 1, self.totals.0 + 1),
                Direction::Out => (*left, self.totals.1) = (*left + 1, self.totals.1 + 1),
            }
        }
        if matches!(draft, Draft::Count(_)) {
            (lane, self.open) = (4, None);
        }
        self.kept.push(Kept {
            seq: self.last,
            lane: lane.into(),
            id,
            bytes: length + 128,
        });
    }

    fn bound(&mut self, limit: u64) {
        for lane in [1, 3, 2, 4, 0] {
            while self.bytes() > limit
                && let Some(oldest) = self.kept.iter().position(|kept| kept.lane == lane)
            {
                self.kept.remove(oldest);
                self.given_up[lane as usize] += 1;
            }
        }
    }

    fn bytes(&self) -> u64 {
        self.kept.iter().map(|kept| kept.bytes).sum()
    }
}

fn plate() -> Draft {
    let Draft::Event(event) = crossing(Direction::In) else {
        unreachable!("a crossing is an event")
    };
    let seen = vong_wire::PlateSeen {
        track: 1,
        plate: "51F99999".into(),
        raw: "51F-999.99".into(),
        class: "car".into(),
        colour: vong_wire::PlateColour::White,
        lines: 1,
        confidence: 0.5,
        readings: 3,
    };
    let body = EventBody::Plate(seen);
    Draft::Event(Event { body, ..event })
}

fn draft(kind: u8) -> Draft {
    match kind {
        0 => alert(),
        1 => Draft::Evidence {
            alert: EventId::generate(),
            jpeg: vec![7; 900],
        },
        2 => crossing(Direction::In),
        3 => plate(),
        _ => count(),
    }
}

/// What a draft takes in the file; a count is stored with its totals.
fn length(draft: &Draft, totals: (u64, u64)) -> u64 {
    let bytes = match draft {
        Draft::Alert(alert) => serde_json::to_vec(alert),
        Draft::Event(event) => serde_json::to_vec(event),
        Draft::Evidence { jpeg, .. } => return jpeg.len() as u64,
        Draft::Count(count) => serde_json::to_vec(&Count {
            total_in: totals.0,
            total_out: totals.1,
            epoch_ms: 5,
            ..count.clone()
        }),
    };
    bytes.unwrap().len() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_a_list(steps in steps(), limit in prop_oneof![Just(2_000_u64), Just(6_000), Just(1 << 20)]) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut outbox = Outbox::open(folder.path(), limit).await.unwrap();
            // The epoch of the line begins with its first message, so that the length of a count is known.
            outbox.totals(&super::tests::camera(), &super::tests::line(), 5).await.unwrap();
            let mut model = Model::default();
            let mut in_flight = HashSet::new();
            for step in steps {
                match step {
                    Step::Append(kinds) => {
                        let drafts: Vec<Draft> = kinds.into_iter().map(draft).collect();
                        let mut totals = model.totals;
                        for draft in &drafts {
                            if matches!(draft, Draft::Event(Event { body: EventBody::Crossing(_), .. })) { totals.0 += 1; }
                            model.put(draft, length(draft, totals));
                        }
                        model.bound(limit);
                        outbox.append(drafts).await.unwrap();
                    }
                    Step::Send { limit } => {
                        let sent = outbox.due(&in_flight, limit).await.unwrap();
                        let mut expected = model.kept.clone();
                        expected.sort_by_key(|kept| (kept.lane, kept.seq));
                        expected.retain(|kept| !in_flight.contains(&kept.seq));
                        expected.truncate(limit);
                        let seqs: Vec<u64> = sent.iter().map(|pending| pending.seq).collect();
                        prop_assert_eq!(&seqs, &expected.iter().map(|kept| kept.seq).collect::<Vec<_>>());
                        in_flight.extend(seqs);
                    }
                    Step::Acknowledge { nth, wrong_id } => {
                        if model.kept.is_empty() { continue; }
                        let at = nth % model.kept.len();
                        let Kept { seq, id, .. } = model.kept[at].clone();
                        let id = if wrong_id { Some(EventId::generate()) } else { id };
                        outbox.acknowledge(&[AckItem { seq, id }]).await.unwrap();
                        if !wrong_id { model.kept.remove(at); in_flight.remove(&seq); }
                    }
                    Step::Crash => {
                        // Nothing is closed: what was promised must already be on the disk.
                        outbox = Outbox::open(folder.path(), limit).await.unwrap();
                        in_flight.clear();
                        if let Some((entered, left)) = model.open.take() {
                            let found = outbox.due(&HashSet::new(), 1000).await.unwrap();
                            if let Some(Pending { seq, draft: Draft::Count(count) }) = found.last() && *seq > model.last {
                                prop_assert_eq!((count.entered, count.left, count.boot), (entered, left, boot()));
                                model.put(&Draft::Count(Count { seq: 0, ..count.clone() }), length(&Draft::Count(Count { seq: 0, ..count.clone() }), model.totals));
                            } else {
                                // There was no room for it: it is among what was given up.
                                model.put(&count(), length(&count(), model.totals));
                            }
                            model.bound(limit);
                        }
                    }
                }
                let mut expected: Vec<_> = model.kept.iter().map(|kept| (kept.lane, kept.seq, kept.id)).collect();
                expected.sort_unstable_by_key(|(lane, seq, _)| (*lane, *seq));
                let found: Vec<_> = outbox.due(&HashSet::new(), 1000).await.unwrap().iter().map(|pending| {
                    let (_, id) = key(&pending.draft);
                    (pending.seq, id)
                }).collect();
                prop_assert_eq!(&found, &expected.iter().map(|(_, seq, id)| (*seq, *id)).collect::<Vec<_>>());
                prop_assert_eq!(outbox.depth().await.unwrap(), expected.len() as u64);
                let health = outbox.health().await.unwrap();
                prop_assert_eq!(health.bytes, model.bytes());
                prop_assert!(health.bytes <= limit, "{} bytes, limit {}", health.bytes, limit);
                let given_up = [health.alerts_dropped, health.evidence_dropped, health.events_dropped, health.crossings_folded, health.counts_folded];
                prop_assert_eq!(given_up, model.given_up);
                let totals = outbox.totals(&super::tests::camera(), &super::tests::line(), 99).await.unwrap();
                prop_assert_eq!((totals.entered, totals.left), model.totals);
            }
            Ok(())
        })?;
    }
}
