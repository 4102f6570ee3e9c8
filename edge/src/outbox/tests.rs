//! What the outbox promises, message by message, and the messages that its other tests use.

use super::*;
use vong_wire::{AlertCause, BootId, Crossing, EntryId, ListId, ObjectClass, Severity};

pub(super) fn camera() -> CameraId {
    CameraId::new("walkway").unwrap()
}

pub(super) fn line() -> LineId {
    LineId::new("main").unwrap()
}

/// One start for all messages of a test.
pub(super) fn boot() -> BootId {
    BootId("018f3c5e-7f00-7000-8000-000000000001".parse().unwrap())
}

pub(super) fn crossing(direction: Direction) -> Draft {
    Draft::Event(Event {
        id: EventId::generate(),
        seq: 0,
        boot: boot(),
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

pub(super) fn alert() -> Draft {
    Draft::Alert(Alert {
        id: EventId::generate(),
        seq: 0,
        boot: boot(),
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

pub(super) fn count() -> Draft {
    Draft::Count(Count {
        seq: 0,
        boot: boot(),
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

pub(super) fn key(draft: &Draft) -> (u8, Option<EventId>) {
    match draft {
        Draft::Alert(alert) => (0, Some(alert.id)),
        Draft::Evidence { alert, .. } => (1, Some(*alert)),
        Draft::Event(event) => (2, Some(event.id)),
        Draft::Count(_) => (3, None),
    }
}

#[tokio::test]
async fn totals_follow_the_crossings_and_survive() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
    outbox
        .append(vec![
            crossing(Direction::In),
            crossing(Direction::In),
            crossing(Direction::Out),
        ])
        .await
        .unwrap();
    drop(outbox);
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
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
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
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
    let error = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("outbox.sqlite"), "{error}");
}

#[tokio::test]
async fn a_minute_cut_short_by_a_power_cut_is_told_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
    outbox.append(vec![crossing(Direction::In), count()]).await.unwrap();
    outbox
        .append(vec![crossing(Direction::In), crossing(Direction::Out)])
        .await
        .unwrap();
    drop(outbox);
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
    let pending = outbox.due(&HashSet::new(), 10).await.unwrap();
    let counts: Vec<_> = pending
        .iter()
        .filter_map(|pending| match &pending.draft {
            Draft::Count(count) => Some((
                count.minute_ms,
                count.entered,
                count.left,
                count.total_in,
                count.total_out,
            )),
            _ => None,
        })
        .collect();
    // The first minute was told; what crossed after it stands in the next, whatever the time of its picture.
    assert_eq!(counts, [(60_000, 0, 0, 1, 0), (120_000, 1, 1, 2, 1)]);
    drop(outbox);
    let outbox = Outbox::open(folder.path(), DEFAULT_LIMIT_BYTES).await.unwrap();
    assert_eq!(outbox.depth().await.unwrap(), 5, "a minute is mended once");
}
