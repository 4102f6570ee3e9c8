//! The outbox against a plain list: whatever is appended, sent, acknowledged or lost to a crash, the same is pending.

use super::*;
use proptest::prelude::*;
use vong_wire::{AlertCause, BootId, Crossing, EntryId, ListId, ObjectClass, Severity};

fn camera() -> CameraId {
    CameraId::new("walkway").unwrap()
}

fn line() -> LineId {
    LineId::new("main").unwrap()
}

fn crossing(direction: Direction) -> Draft {
    Draft::Event(Event {
        id: EventId::generate(),
        seq: 0,
        boot: BootId::generate(),
        camera: camera(),
        camera_time_ms: 5,
        sent_ms: 0,
        replayed: false,
        body: EventBody::Crossing(Crossing {
            line: line(),
            direction,
            class: ObjectClass::Person,
            track: 1,
        }),
    })
}

fn alert() -> Draft {
    Draft::Alert(Alert {
        id: EventId::generate(),
        seq: 0,
        boot: BootId::generate(),
        camera: camera(),
        camera_time_ms: 5,
        sent_ms: 0,
        replayed: false,
        event: EventId::generate(),
        severity: Severity::Alarm,
        has_evidence: true,
        cause: AlertCause::Face {
            list: ListId::new("wanted").unwrap(),
            entry: EntryId::new("a").unwrap(),
            similarity: 0.9,
            threshold: 0.8,
        },
    })
}

fn count() -> Draft {
    Draft::Count(Count {
        seq: 0,
        boot: BootId::generate(),
        camera: camera(),
        line: line(),
        minute_ms: 60_000,
        entered: 0,
        left: 0,
        epoch_ms: 0,
        total_in: 0,
        total_out: 0,
        coverage: 1.0,
        in_sd: None,
        out_sd: None,
        sent_ms: 0,
    })
}

fn key(draft: &Draft) -> (u8, Option<EventId>) {
    match draft {
        Draft::Alert(alert) => (0, Some(alert.id)),
        Draft::Evidence { alert, .. } => (1, Some(*alert)),
        Draft::Event(event) => (2, Some(event.id)),
        Draft::Count(_) => (3, None),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Acknowledge { nth: usize, wrong_id: bool },
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => proptest::collection::vec(0u8..4, 1..4).prop_map(Step::Append),
        3 => (0usize..6, proptest::bool::weighted(0.2)).prop_map(|(nth, wrong_id)| Step::Acknowledge { nth, wrong_id }),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_a_list(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut outbox = Outbox::open(folder.path()).await.unwrap();
            let mut model: Vec<(u64, (u8, Option<EventId>))> = Vec::new();
            let mut last = 0;
            for step in steps {
                match step {
                    Step::Append(kinds) => {
                        let drafts: Vec<Draft> = kinds.iter().map(|kind| match kind {
                            0 => alert(),
                            1 => Draft::Evidence { alert: EventId::generate(), jpeg: vec![1, 2] },
                            2 => crossing(Direction::In),
                            _ => count(),
                        }).collect();
                        for draft in &drafts {
                            last += 1;
                            model.push((last, key(draft)));
                        }
                        outbox.append(drafts).await.unwrap();
                    }
                    Step::Acknowledge { nth, wrong_id } => {
                        if model.is_empty() { continue; }
                        let at = nth % model.len();
                        let (seq, (_, id)) = model[at];
                        let id = if wrong_id { Some(EventId::generate()) } else { id };
                        outbox.acknowledge(&[AckItem { seq, id }]).await.unwrap();
                        if !wrong_id { model.remove(at); }
                    }
                    // Nothing is closed: what was promised must already be on the disk.
                    Step::Crash => outbox = Outbox::open(folder.path()).await.unwrap(),
                }
                let mut expected = model.clone();
                expected.sort_by_key(|(seq, (lane, _))| (*lane, *seq));
                let found: Vec<_> = outbox.due(&HashSet::new(), 1000).await.unwrap()
                    .iter().map(|pending| (pending.seq, key(&pending.draft))).collect();
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(outbox.depth().await.unwrap(), expected.len() as u64);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn totals_follow_the_crossings_and_survive() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).await.unwrap();
    outbox
        .append(vec![
            crossing(Direction::In),
            crossing(Direction::In),
            crossing(Direction::Out),
        ])
        .await
        .unwrap();
    drop(outbox);
    let outbox = Outbox::open(folder.path()).await.unwrap();
    outbox.append(vec![count()]).await.unwrap();
    let expected = Totals {
        epoch_ms: 5,
        entered: 2,
        left: 1,
    };
    assert_eq!(outbox.totals(&camera(), &line(), 99).await.unwrap(), expected);
    let pending = outbox.due(&HashSet::new(), 10).await.unwrap();
    let Draft::Count(count) = &pending[3].draft else {
        panic!("the count is not last")
    };
    assert_eq!(
        (count.seq, count.epoch_ms, count.total_in, count.total_out),
        (4, 5, 2, 1)
    );
}

#[tokio::test]
async fn what_is_in_flight_is_not_due_again() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).await.unwrap();
    outbox
        .append(vec![crossing(Direction::In), alert(), crossing(Direction::Out)])
        .await
        .unwrap();
    let in_flight = HashSet::from([2]);
    let due: Vec<u64> = outbox
        .due(&in_flight, 1)
        .await
        .unwrap()
        .iter()
        .map(|pending| pending.seq)
        .collect();
    assert_eq!(due, [1]);
}

#[tokio::test]
async fn a_file_that_is_no_outbox_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("outbox.sqlite"),
        b"this is no database, whatever its name says",
    )
    .unwrap();
    let error = Outbox::open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("outbox.sqlite"), "{error}");
}
