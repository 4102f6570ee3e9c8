//! The contract on a real PostgreSQL, and what only several processes on one database can get wrong.

use super::*;
use crate::store::contract::{self, MIDNIGHT_MS};
use crate::store::{Heard, Outcome, QuarantineRow, Record, Store};
use futures::StreamExt;
use vong_servers::{Postgres, or_skip};

#[tokio::test]
async fn the_contract_holds() {
    let Some(server) = or_skip(Postgres::quick()) else {
        return;
    };
    let store = PostgresStore::open(&server.url()).await.unwrap();
    contract::suite(&store).await;
    store.close().await;
    let again = PostgresStore::open(&server.url()).await.unwrap();
    assert!(again.stats().await.unwrap().events > 0, "the tables were made anew");
    again.close().await;
}

#[tokio::test]
async fn any_number_of_processes_write_the_same_records_at_once() {
    let Some(server) = or_skip(Postgres::quick()) else {
        return;
    };
    const PROCESSES: usize = 4;
    let mut stores = Vec::new();
    for _ in 0..PROCESSES {
        stores.push(PostgresStore::open(&server.url()).await.unwrap());
    }
    // Each process commits the same 30 batches of 40 records, each in an order of its own, all at the same time.
    let batches: Vec<Batch> = (0..30).map(|n| contract::mixed_batch(n, 40)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for (turn, store) in stores.iter().cloned().enumerate() {
        let mut mine = batches.clone();
        mine.rotate_left(turn * 7);
        tasks.spawn(async move {
            let mut new = 0;
            for mut batch in mine {
                batch.records.rotate_left(turn * 3);
                let committed = store.commit(&batch).await.unwrap();
                new += committed
                    .outcomes
                    .iter()
                    .filter(|outcome| **outcome == Outcome::New)
                    .count();
            }
            new
        });
    }
    let new: usize = tasks.join_all().await.into_iter().sum();
    let alone = tempfile::tempdir().unwrap();
    let alone = crate::store::SqliteStore::open(&alone.path().join("a.sqlite"))
        .await
        .unwrap();
    for batch in &batches {
        alone.commit(batch).await.unwrap();
    }
    let (found, expected) = (stores[0].stats().await.unwrap(), alone.stats().await.unwrap());
    assert_eq!(
        (found.events, found.alerts, found.counts, found.evidence),
        (expected.events, expected.alerts, expected.counts, expected.evidence)
    );
    let sorted = |mut tallies: Vec<crate::store::Tally>| {
        tallies.sort_by(|a, b| a.key.cmp(&b.key));
        tallies
    };
    let day = LocalDay::of(MIDNIGHT_MS);
    assert_eq!(
        sorted(stores[0].tallies(day).await.unwrap()),
        sorted(alone.tallies(day).await.unwrap())
    );
    assert_eq!(
        stores[0]
            .counts(MIDNIGHT_MS, MIDNIGHT_MS + 86_400_000, None, 10_000)
            .await
            .unwrap(),
        alone
            .counts(MIDNIGHT_MS, MIDNIGHT_MS + 86_400_000, None, 10_000)
            .await
            .unwrap()
    );
    let once = (expected.events + expected.alerts + expected.evidence) as usize;
    assert!(new >= once, "{new} were called new, {once} are there");
    for store in stores {
        store.close().await;
    }
}

#[tokio::test]
async fn others_hear_of_a_commit_and_only_of_that() {
    let Some(server) = or_skip(Postgres::quick()) else {
        return;
    };
    let (here, there) = (
        PostgresStore::open(&server.url()).await.unwrap(),
        PostgresStore::open(&server.url()).await.unwrap(),
    );
    let (mut own, mut heard) = (here.news(), there.news());
    assert_eq!(
        (own.next().await, heard.next().await),
        (Some(Heard::Again), Some(Heard::Again))
    );
    let batch = contract::mixed_batch(1, 40);
    here.commit(&batch).await.unwrap();
    let Some(Heard::News(news)) = heard.next().await else {
        panic!("nothing was heard");
    };
    let alerts: Vec<_> = batch
        .records
        .iter()
        .filter_map(|record| match record {
            Record::Alert(_, alert, _) => Some(alert.id),
            _ => None,
        })
        .collect();
    let mut told = news.alerts.clone();
    told.sort_by_key(|id| id.0);
    let mut expected = alerts;
    expected.sort_by_key(|id| id.0);
    expected.dedup();
    assert_eq!(told, expected);
    assert!(news.registered && !news.events.is_empty());
    let events = there.fresh_events(&news.events).await.unwrap();
    assert_eq!(events.len(), news.events.len());
    // The same again is no news; one more is, and it is the next thing heard, so nothing was heard in between.
    here.commit(&batch).await.unwrap();
    there.commit(&contract::mixed_batch(2, 40)).await.unwrap();
    here.commit(&contract::mixed_batch(3, 4)).await.unwrap();
    let Some(Heard::News(next)) = heard.next().await else {
        panic!("nothing more was heard");
    };
    assert!(!next.registered, "{next:?}");
    let Some(Heard::News(of_there)) = own.next().await else {
        panic!("the other's commit was not heard");
    };
    assert_eq!(of_there.teller, there.teller);
}

#[tokio::test]
async fn days_get_partitions_and_wrong_clocks_do_not() {
    let Some(server) = or_skip(Postgres::quick()) else {
        return;
    };
    let store = PostgresStore::open(&server.url()).await.unwrap();
    let now = now_ms();
    let at = |at_ms: i64| contract::batch_of_ids_made_at(at_ms);
    for at_ms in [now, now - 86_400_000, 1_000, now + 40 * 86_400_000] {
        let committed = store.commit(&at(at_ms)).await.unwrap();
        assert_eq!(committed.outcomes, [Outcome::New], "{at_ms}");
        assert_eq!(store.commit(&at(at_ms)).await.unwrap().outcomes, [Outcome::New]);
    }
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relname ~ '^event_[0-9]{8}$' AND relkind = 'r' ORDER BY 1",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    assert_eq!(partitions.len(), 2, "{partitions:?}");
    let other: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM event_other")
        .fetch_one(&store.readers)
        .await
        .unwrap();
    assert_eq!(other, 4);
    // A day whose rows lie in the default partition already: they stay there, and more may come.
    let later = LocalDay::of(now + 40 * 86_400_000).0;
    sqlx::query("SELECT make_day($1)")
        .bind(later)
        .execute(&store.readers)
        .await
        .unwrap();
    assert_eq!(
        store.commit(&at(now + 40 * 86_400_000)).await.unwrap().outcomes,
        [Outcome::New]
    );
}

#[tokio::test]
async fn what_can_never_be_written_is_told_from_what_cannot_be_now() {
    let Some(mut server) = or_skip(Postgres::quick()) else {
        return;
    };
    let store = PostgresStore::open(&server.url()).await.unwrap();
    let mut batch = contract::mixed_batch(1, 4);
    let Record::Event(_, event) = &mut batch.records[0] else {
        panic!("the first is an event");
    };
    // Sane by every rule but the database's: a text with a NUL.
    let mut state = contract::state_record();
    if let Record::State(_, state) = &mut state {
        state.version = "0\0".into();
    }
    let event = event.id;
    batch.records.push(state);
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    assert!(
        store.fresh_events(&[event]).await.unwrap().is_empty(),
        "part of a batch was written"
    );
    // Its description can be kept, NUL and all.
    let message = QuarantineRow {
        received_ms: 1,
        topic: "a\0b".into(),
        reason: "\0".into(),
        head: vec![0],
        bytes: 1,
    };
    let kept = Batch {
        stored_ms: 1,
        records: vec![Record::Quarantine(message)],
    };
    store.commit(&kept).await.unwrap();
    assert_eq!(store.quarantine(1).await.unwrap()[0].topic, "a\u{fffd}b");
    let rule = sqlx::query("INSERT INTO line VALUES ('a', 'b', 'c', 'd', 0, '', '', NULL)");
    let error = StoreError::from(rule.execute(&store.writer).await.unwrap_err());
    assert!(
        error.to_string().contains("a line names a camera that does not exist"),
        "{error}"
    );
    server.kill();
    batch.records.pop();
    let error = store.commit(&batch).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    server.start_again().unwrap();
    // The first use of a connection that died may fail; the collector tries again, and so does this.
    let mut outcomes = store.commit(&batch).await;
    for _ in 0..8 {
        if outcomes.is_err() {
            outcomes = store.commit(&batch).await;
        }
    }
    assert!(outcomes.unwrap().outcomes.contains(&Outcome::New));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_password() {
    let port = vong_servers::free_port().unwrap();
    let url = format!("postgres://u:secret@127.0.0.1:{port}/vong");
    let error = PostgresStore::open(&url).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("127.0.0.1:{port}/vong")) && !error.contains("secret"),
        "{error}"
    );
    assert!(error.contains("[store] postgres"), "{error}");
}
