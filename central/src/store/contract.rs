//! What every store must do, as one suite that takes any of them. A new implementation calls [`suite`] on an empty
//! store of its own.

use super::samples::{alert, batch, crossing, key, names, origin, seeds, state};
use super::*;
use vong_wire::{DeviceId, DeviceStatus, Direction, Event};

pub(super) use super::samples::{MIDNIGHT_MS, batch_of_ids_made_at, fill, large_batch, mixed_batch, state_record};

/// Everything that a store must do; `store` is empty.
pub(super) async fn suite(store: &dyn Store) {
    seeds_are_read_back_and_taken_twice(store).await;
    doubles_change_nothing(store).await;
    crossings_count_on_their_own_day(store).await;
    contract_counts::suite(store).await;
    strangers_are_entered(store).await;
    states_are_kept(store).await;
    lists_are_paged(store).await;
    pictures_are_kept_and_deleted(store).await;
    quarantine_is_kept_and_counted(store).await;
    photographs_keep_what_was_made_of_them(store).await;
    bundle_versions_rise_with_the_content(store).await;
    users_and_looks_are_noted(store).await;
}

async fn seeds_are_read_back_and_taken_twice(store: &dyn Store) {
    let seeds = seeds();
    for _ in 0..2 {
        store.take_seeds(&seeds, MIDNIGHT_MS).await.unwrap();
        let directory = store.directory().await.unwrap();
        assert_eq!(
            (directory.sites, directory.lists),
            (seeds.sites.clone(), seeds.lists.clone())
        );
    }
    assert_eq!(store.seed_sha256("park.toml").await.unwrap().as_deref(), Some("hash"));
    assert_eq!(store.seed_sha256("other.toml").await.unwrap(), None);
    assert_eq!(store.devices().await.unwrap()[0].status, None);
}

async fn doubles_change_nothing(store: &dyn Store) {
    let yesterday = MIDNIGHT_MS - 86_400_000 * 9;
    let event = Record::Event(origin(), crossing(yesterday, Direction::In));
    let alert = Record::Alert(origin(), alert("drill"), true);
    let both = batch(vec![event.clone(), alert.clone(), event, alert]);
    let before = store.stats().await.unwrap();
    let first = store.commit(&both).await.unwrap();
    assert_eq!(
        first.outcomes,
        [Outcome::New, Outcome::New, Outcome::Double, Outcome::Double]
    );
    let second = store.commit(&both).await.unwrap();
    assert_eq!(second.outcomes, [Outcome::Double; 4]);
    assert!(second.tallies.is_empty(), "a double moved a count");
    let after = store.stats().await.unwrap();
    assert_eq!((after.events, after.alerts), (before.events + 1, before.alerts + 1));
    assert_eq!(after.doubled, before.doubled + 6);
    assert_eq!(store.tallies(LocalDay::of(yesterday)).await.unwrap()[0].entered, 1);
}

async fn crossings_count_on_their_own_day(store: &dyn Store) {
    let today = LocalDay::of(MIDNIGHT_MS);
    let records = vec![
        Record::Event(origin(), crossing(MIDNIGHT_MS - 1, Direction::In)),
        Record::Event(origin(), crossing(MIDNIGHT_MS, Direction::In)),
        Record::Event(origin(), crossing(MIDNIGHT_MS + 1, Direction::In)),
        Record::Event(origin(), crossing(MIDNIGHT_MS + 2, Direction::Out)),
    ];
    let committed = store.commit(&batch(records)).await.unwrap();
    let of = |day: LocalDay, entered, departed| Tally {
        key: key(),
        day,
        entered,
        departed,
    };
    assert_eq!(committed.tallies, [of(LocalDay(today.0 - 1), 1, 0), of(today, 2, 1)]);
    assert_eq!(store.tallies(today).await.unwrap(), [of(today, 2, 1)]);
}

async fn strangers_are_entered(store: &dyn Store) {
    let stranger = Origin {
        site: SiteId::new("elsewhere").unwrap(),
        device: DeviceId::new("box").unwrap(),
        ..origin()
    };
    let records = vec![Record::Event(stranger.clone(), crossing(MIDNIGHT_MS, Direction::In))];
    let committed = store.commit(&batch(records)).await.unwrap();
    let paths = ["elsewhere/box", "elsewhere/box/walkway", "elsewhere/box/walkway/main"];
    assert_eq!(committed.registered, paths);
    let directory = store.directory().await.unwrap();
    let device = directory.device(&stranger.site, &stranger.device).unwrap();
    assert!(!device.known && device.cameras[0].lines.len() == 1);
    assert!(directory.device(&key().site, &key().device).unwrap().known);
    let again = store.commit(&large_batch(1)).await.unwrap();
    assert!(again.registered.is_empty());
}

async fn states_are_kept(store: &dyn Store) {
    let find = async || {
        let devices = store.devices().await.unwrap();
        devices.into_iter().find(|row| row.device == key().device).unwrap()
    };
    let later = Origin {
        received_ms: MIDNIGHT_MS + 900,
        ..origin()
    };
    store
        .commit(&batch(vec![Record::State(origin(), state(DeviceStatus::Online, 7))]))
        .await
        .unwrap();
    store
        .commit(&batch(vec![Record::State(
            later.clone(),
            state(DeviceStatus::Online, 8),
        )]))
        .await
        .unwrap();
    let online = find().await;
    assert_eq!((online.status, online.bundle_version), (Some(DeviceStatus::Online), 8));
    assert_eq!(online.since_ms, origin().received_ms, "the same status began anew");
    assert_eq!(online.models["embedding"], "m");
    store
        .commit(&batch(vec![Record::State(
            later.clone(),
            state(DeviceStatus::Offline, 7),
        )]))
        .await
        .unwrap();
    let offline = find().await;
    assert_eq!(
        (offline.status, offline.since_ms),
        (Some(DeviceStatus::Offline), later.received_ms)
    );
    assert_eq!(offline.bundle_version, 8, "a last will took the watchlists back");
    assert!(store.revive(&later).await.unwrap());
    assert!(!store.revive(&later).await.unwrap());
    store.forget_online(MIDNIGHT_MS + 1_000).await.unwrap();
    assert_eq!(find().await.status, Some(DeviceStatus::Offline));
    store
        .commit(&batch(vec![Record::State(
            later.clone(),
            state(DeviceStatus::Stopped, 8),
        )]))
        .await
        .unwrap();
    assert!(!store.revive(&later).await.unwrap(), "a stopped device was revived");
}

async fn lists_are_paged(store: &dyn Store) {
    let base = MIDNIGHT_MS + 1_000_000;
    let events: Vec<Event> = (0..5).map(|n| crossing(base + n / 2, Direction::In)).collect();
    let records = events
        .iter()
        .cloned()
        .map(|event| Record::Event(origin(), event))
        .collect();
    store.commit(&batch(records)).await.unwrap();
    let mut page = Page {
        limit: 2,
        kind: Some("crossing".into()),
        site: Some(key().site),
        ..Page::default()
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let rows = store.events(&page).await.unwrap();
        page.before = rows.last().map(|row| row.event.id);
        seen.extend(rows.into_iter().map(|row| row.event));
    }
    let mut expected = events;
    expected.sort_by_key(|event| std::cmp::Reverse((event.camera_time_ms, event.id)));
    assert_eq!(seen[..5], expected[..]);
    page.before = None;
    page.kind = Some("plate".into());
    assert!(store.events(&page).await.unwrap().is_empty());

    let (drill, real) = (alert("drill"), alert("unknown-list"));
    let records = vec![
        Record::Alert(origin(), drill.clone(), false),
        Record::Alert(origin(), real.clone(), true),
    ];
    store.commit(&batch(records)).await.unwrap();
    let found = store.alert(drill.id).await.unwrap().unwrap();
    assert_eq!(
        (found.live, found.exercise, found.has_picture, &found.alert),
        (false, true, false, &drill)
    );
    let found = store.alert(real.id).await.unwrap().unwrap();
    assert_eq!((found.live, found.exercise), (true, false));
    let limit = 100;
    let rows = store
        .alerts(&Page {
            limit,
            ..Page::default()
        })
        .await
        .unwrap();
    assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse((row.alert.camera_time_ms, row.alert.id))));
    assert!(store.alert(EventId::generate()).await.unwrap().is_none());
}

async fn pictures_are_kept_and_deleted(store: &dyn Store) {
    let alert = alert("drill");
    let picture = EvidenceRow {
        alert: alert.id,
        file: "2026-11-25/a.jpg".into(),
        bytes: 5,
    };
    // The picture may come before its alert.
    store
        .commit(&batch(vec![Record::Evidence(origin(), picture.clone())]))
        .await
        .unwrap();
    store
        .commit(&batch(vec![Record::Alert(origin(), alert.clone(), true)]))
        .await
        .unwrap();
    let again = store
        .commit(&batch(vec![Record::Evidence(origin(), picture.clone())]))
        .await
        .unwrap();
    assert_eq!(again.outcomes, [Outcome::Double]);
    assert!(store.alert(alert.id).await.unwrap().unwrap().has_picture);
    assert_eq!(store.evidence(alert.id).await.unwrap(), Some(picture.clone()));
    assert!(
        store
            .evidence_before(origin().received_ms, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store.evidence_before(origin().received_ms + 1, 10).await.unwrap(),
        std::slice::from_ref(&picture)
    );
    store.evidence_deleted(&[alert.id]).await.unwrap();
    assert_eq!(store.evidence(alert.id).await.unwrap(), None);
    assert!(!store.alert(alert.id).await.unwrap().unwrap().has_picture);
    let late = store
        .commit(&batch(vec![Record::Evidence(origin(), picture)]))
        .await
        .unwrap();
    assert_eq!(late.outcomes, [Outcome::Double], "a deleted picture came back");
}

async fn quarantine_is_kept_and_counted(store: &dyn Store) {
    let before = store.stats().await.unwrap().quarantined;
    let message = QuarantineRow {
        received_ms: MIDNIGHT_MS,
        topic: "vong/v1/park/edge-1/event".into(),
        reason: "no JSON".into(),
        head: vec![0xff, 0],
        bytes: 70_000,
    };
    let twice = vec![Record::Quarantine(message.clone()), Record::Quarantine(message.clone())];
    store.commit(&batch(twice)).await.unwrap();
    assert_eq!(store.stats().await.unwrap().quarantined, before + 2);
    assert_eq!(store.quarantine(1).await.unwrap(), [message]);
}

async fn photographs_keep_what_was_made_of_them(store: &dyn Store) {
    let rows = store.photographs().await.unwrap();
    let sources: Vec<_> = rows.iter().map(|row| (row.place, row.source.as_str())).collect();
    assert_eq!(sources, [(0, "models:a.png"), (1, "b.png")]);
    let made = PhotographRow {
        sha256: Some("s".into()),
        face: Some(FaceVector {
            model: "m".into(),
            vector: vec![0.6, -0.8, f32::MIN_POSITIVE],
        }),
        ..rows[0].clone()
    };
    let faulty = PhotographRow {
        fault: Some("no face".into()),
        ..rows[1].clone()
    };
    store.put_photograph(&made).await.unwrap();
    store.put_photograph(&faulty).await.unwrap();
    assert_eq!(store.photographs().await.unwrap(), [made, faulty]);
    let mut seeds = seeds();
    seeds.lists[0].entries[0].photographs = vec!["models:other.png".into()];
    store.take_seeds(&seeds, MIDNIGHT_MS).await.unwrap();
    let rows = store.photographs().await.unwrap();
    assert_eq!(
        (rows.len(), rows[0].face.is_none(), rows[0].source.as_str()),
        (1, true, "models:other.png")
    );
}

async fn bundle_versions_rise_with_the_content(store: &dyn Store) {
    let steps = [
        (("a", 0, 100), 100),
        (("a", 0, 200), 100),
        (("b", 0, 50), 101),
        (("b", 300, 50), 301),
        (("b", 300, 400), 301),
        (("a", 0, 400), 400),
    ];
    for ((sha256, above, fresh), expected) in steps {
        let version = store.bundle_version(sha256, above, fresh).await.unwrap();
        assert_eq!(version, expected, "{sha256} above {above}, fresh {fresh}");
    }
}

async fn users_and_looks_are_noted(store: &dyn Store) {
    store
        .put_user("ioc", &names("ioc"), Role::Admin, "$argon2id$", MIDNIGHT_MS)
        .await
        .unwrap();
    store
        .put_user("new", &names("new"), Role::Viewer, "$argon2id$", MIDNIGHT_MS)
        .await
        .unwrap();
    let row = AccessRow {
        at_ms: MIDNIGHT_MS,
        who: "127.0.0.1".into(),
        what: "evidence".into(),
        subject: "x".into(),
    };
    store.log_access(&[row.clone(), row]).await.unwrap();
}
