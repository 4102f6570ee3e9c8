//! What every store must do with the minutes of lines: keep the later telling of each, add up their coverage and doubts.

use super::samples::{MIDNIGHT_MS, batch, count, key, origin};
use super::{Outcome, Record, Store, Variances};
use vong_wire::{BootId, Count, UnixMs};

/// A day later than what the rest of the suite writes.
const ANOTHER_MS: UnixMs = MIDNIGHT_MS + 86_400_000;

pub(super) async fn suite(store: &dyn Store) {
    a_minute_keeps_its_larger_telling(store).await;
    the_doubt_of_a_minute_is_that_of_its_later_telling(store).await;
    doubts_of_minutes_add_as_variances(store).await;
}

fn none() -> Variances {
    Variances {
        entered: None,
        departed: None,
    }
}

fn doubtful(minute: i64, entered: u32, coverage: f32, doubt: Option<(f32, f32)>) -> Count {
    Count {
        minute_ms: ANOTHER_MS + minute * 60_000,
        in_sd: doubt.map(|(entered, _)| entered),
        out_sd: doubt.map(|(_, departed)| departed),
        ..count(BootId(uuid::Uuid::from_u128(7)), entered, u64::from(entered), coverage)
    }
}

async fn tell(store: &dyn Store, counts: Vec<Count>) {
    let records = counts.into_iter().map(|count| Record::Count(origin(), count)).collect();
    store.commit(&batch(records)).await.unwrap();
}

fn check(got: Variances, entered: Option<f64>, departed: Option<f64>) {
    for (got, expected) in [(got.entered, entered), (got.departed, departed)] {
        let near = got.unwrap_or(-1.0) - expected.unwrap_or(-1.0);
        assert!(near.abs() < 1e-5, "{got:?} where {expected:?} was expected");
    }
}

async fn the_doubt_of_a_minute_is_that_of_its_later_telling(store: &dyn Store) {
    let minute = |minute: i64| {
        let from_ms = ANOTHER_MS + minute * 60_000;
        async move { store.counts(from_ms, from_ms + 1, None, 10).await.unwrap()[0].doubt }
    };
    // Later is what counted or saw more, though it is surer; whatever the order, in one batch or in several.
    let (early, late) = ((2, 0.5, Some((1.5, 0.5))), (2, 0.75, Some((1.0, 0.25))));
    let of = |at: i64, (entered, coverage, doubt)| doubtful(at, entered, coverage, doubt);
    tell(store, vec![of(0, early), of(0, late)]).await;
    check(minute(0).await, Some(1.0), Some(0.0625));
    tell(store, vec![of(1, late), of(1, early)]).await;
    check(minute(1).await, Some(1.0), Some(0.0625));
    tell(store, vec![of(2, early)]).await;
    check(minute(2).await, Some(2.25), Some(0.25));
    tell(store, vec![of(2, late)]).await;
    tell(store, vec![of(2, early)]).await;
    check(minute(2).await, Some(1.0), Some(0.0625));
    tell(store, vec![doubtful(2, 3, 0.75, Some((2.0, 0.5)))]).await;
    check(minute(2).await, Some(4.0), Some(0.25));
}

async fn doubts_of_minutes_add_as_variances(store: &dyn Store) {
    let first = ANOTHER_MS + 60 * 60_000;
    let sum = |minutes: i64| async move {
        let covered = store.covered_minutes(first, first + minutes * 60_000).await.unwrap();
        covered[0].doubt
    };
    tell(
        store,
        vec![
            doubtful(60, 1, 1.0, Some((3.0, 0.0))),
            doubtful(61, 1, 1.0, Some((4.0, 0.5))),
        ],
    )
    .await;
    check(sum(2).await, Some(25.0), Some(0.25));
    // A minute without a doubt is not one without doubt.
    tell(store, vec![doubtful(62, 1, 1.0, None)]).await;
    check(sum(3).await, None, None);
    check(sum(2).await, Some(25.0), Some(0.25));
}

async fn a_minute_keeps_its_larger_telling(store: &dyn Store) {
    let (first, second) = (BootId::generate(), BootId::generate());
    let steps = [
        (count(first, 2, 2, 0.5), Outcome::New),
        (count(first, 2, 2, 0.5), Outcome::Double),
        (count(first, 3, 3, 0.75), Outcome::New),
        (count(first, 2, 2, 0.5), Outcome::Double),
        (count(second, 1, 4, 0.5), Outcome::New),
    ];
    for (count, expected) in steps {
        let committed = store
            .commit(&batch(vec![Record::Count(origin(), count.clone())]))
            .await
            .unwrap();
        assert_eq!(committed.outcomes, [expected], "{count:?}");
    }
    let rows = store
        .counts(MIDNIGHT_MS, MIDNIGHT_MS + 1, Some(&key().site), 10)
        .await
        .unwrap();
    assert_eq!((rows.len(), rows[0].entered, rows[0].coverage), (1, 4, 1.0));
    assert!(
        store
            .counts(MIDNIGHT_MS + 1, MIDNIGHT_MS + 2, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let covered = store.covered_minutes(MIDNIGHT_MS, MIDNIGHT_MS + 1).await.unwrap();
    assert_eq!((covered.len(), &covered[0].key), (1, &key()));
    assert!((covered[0].covered - 1.25).abs() < 1e-6);
    assert_eq!(covered[0].doubt, none());
    assert_eq!(rows[0].doubt, none());
}
