//! What every store must do, as one suite that takes any of them. A new implementation calls [`suite`] on an empty
//! store of its own.

use super::*;
use crate::domain::{Camera, Device, Entry, Gate, GateId, Line, LineKey, ListContent};
use vong_wire::{
    Alert, AlertCause, BootId, CameraId, Count, Crossing, DeviceId, DeviceStatus, Direction, EntryId, Event, EventBody,
    LineId, ListId, ObjectClass, PlateMatch, Severity, State,
};

/// 2026-11-25T00:00:00+07:00
pub(super) const MIDNIGHT_MS: UnixMs = 1_795_539_600_000;

fn names(text: &str) -> Names {
    Names::of_id(text)
}

pub(super) fn origin() -> Origin {
    Origin {
        site: SiteId::new("park").unwrap(),
        device: DeviceId::new("edge-1").unwrap(),
        received_ms: MIDNIGHT_MS + 50,
    }
}

pub(super) fn key() -> LineKey {
    LineKey {
        site: SiteId::new("park").unwrap(),
        device: DeviceId::new("edge-1").unwrap(),
        camera: CameraId::new("walkway").unwrap(),
        line: LineId::new("main").unwrap(),
    }
}

fn crossing(at_ms: UnixMs, direction: Direction) -> Event {
    Event {
        id: EventId::generate(),
        seq: 1,
        boot: BootId::generate(),
        camera: key().camera,
        camera_time_ms: at_ms,
        sent_ms: at_ms,
        replayed: false,
        body: EventBody::Crossing(Crossing {
            line: key().line,
            direction,
            class: ObjectClass::Person,
            track: 1,
        }),
    }
}

fn alert(list: &str) -> Alert {
    Alert {
        id: EventId::generate(),
        seq: 2,
        boot: BootId::generate(),
        camera: key().camera,
        camera_time_ms: MIDNIGHT_MS + 10,
        sent_ms: MIDNIGHT_MS + 10,
        replayed: false,
        event: EventId::generate(),
        severity: Severity::Alarm,
        has_evidence: true,
        cause: AlertCause::Plate {
            list: ListId::new(list).unwrap(),
            entry: EntryId::new("one").unwrap(),
            plate: "60A66666".into(),
            matched: PlateMatch::Exact,
        },
    }
}

pub(super) fn count(boot: BootId, entered: u32, total_in: u64, coverage: f32) -> Count {
    Count {
        seq: 3,
        boot,
        camera: key().camera,
        line: key().line,
        minute_ms: MIDNIGHT_MS,
        entered,
        left: 0,
        epoch_ms: MIDNIGHT_MS,
        total_in,
        total_out: 0,
        coverage,
        in_sd: None,
        out_sd: None,
        sent_ms: MIDNIGHT_MS,
    }
}

fn state(status: DeviceStatus, bundle_version: u64) -> State {
    State {
        status,
        boot: BootId::generate(),
        version: "0.1.0".into(),
        models: [("embedding".to_string(), "m".to_string())].into(),
        bundle_version,
        at_ms: MIDNIGHT_MS,
    }
}

pub(super) fn batch(records: Vec<Record>) -> Batch {
    Batch {
        stored_ms: MIDNIGHT_MS + 60,
        records,
    }
}

pub(super) fn large_batch(events: usize) -> Batch {
    batch(
        (0..events)
            .map(|_| Record::Event(origin(), crossing(MIDNIGHT_MS, Direction::In)))
            .collect(),
    )
}

/// Records of four devices, the same for the same number: crossings, minutes, alerts and pictures, some of them twice.
pub(super) fn mixed_batch(number: u64, records: usize) -> Batch {
    let id = |n: usize, what: u64| {
        let day_ms = crate::domain::LocalDay::of(crate::domain::now_ms()).start_ms() as u128;
        EventId(uuid::Uuid::from_u128(
            (day_ms << 80)
                | (7 << 76)
                | (2 << 62)
                | (u128::from(number) << 24)
                | (u128::from(what) << 20)
                | (n as u128),
        ))
    };
    let record = |turn: usize| {
        // Every fifth is an earlier one, sent again.
        let n = if turn % 5 == 4 { turn - 4 } else { turn };
        let mut origin = origin();
        origin.device = DeviceId::new(format!("edge-{}", (n / 4 + number as usize) % 4)).unwrap();
        match n % 4 {
            0 | 1 => {
                let direction = if n % 8 < 3 { Direction::In } else { Direction::Out };
                let mut event = crossing(MIDNIGHT_MS + n as i64, direction);
                event.id = id(n, 0);
                Record::Event(origin, event)
            }
            2 => {
                let told = count(BootId(uuid::Uuid::from_u128(1)), n as u32, n as u64, 0.5);
                Record::Count(origin, told)
            }
            _ => {
                let mut alert = alert("drill");
                alert.id = id(n, 1);
                Record::Alert(origin, alert, true)
            }
        }
    };
    batch((0..records).map(record).collect())
}

/// One event whose id was made at a time.
pub(super) fn batch_of_ids_made_at(at_ms: UnixMs) -> Batch {
    let mut event = crossing(MIDNIGHT_MS, Direction::In);
    let random = event.id.0.as_u128() & ((1 << 80) - 1);
    event.id = EventId(uuid::Uuid::from_u128(((at_ms as u128) << 80) | random));
    batch(vec![Record::Event(origin(), event)])
}

/// What a device says of itself.
pub(super) fn state_record() -> Record {
    Record::State(origin(), state(DeviceStatus::Online, 1))
}

/// Puts one of most things into a store.
pub(super) async fn fill(store: &dyn Store) {
    store.take_seeds(&seeds(), MIDNIGHT_MS).await.unwrap();
    let records = vec![
        Record::State(origin(), state(DeviceStatus::Online, 0)),
        Record::Event(origin(), crossing(MIDNIGHT_MS, Direction::In)),
        Record::Alert(origin(), alert("drill"), true),
    ];
    store.commit(&batch(records)).await.unwrap();
}

fn seeds() -> Seeds {
    let line = Line {
        id: key().line,
        name: names("line"),
        gate: Some(GateId::new("a").unwrap()),
    };
    let camera = Camera {
        id: key().camera,
        name: names("camera"),
        lines: vec![line],
    };
    let device = Device {
        id: key().device,
        name: names("device"),
        known: true,
        cameras: vec![camera],
    };
    let gate = Gate {
        id: GateId::new("a").unwrap(),
        name: names("gate"),
    };
    let entry = Entry {
        id: EntryId::new("one").unwrap(),
        label: names("label"),
        photographs: vec!["models:a.png".into(), "b.png".into()],
        plate: None,
        colour: None,
    };
    let list = List {
        id: ListId::new("drill").unwrap(),
        name: names("list"),
        severity: Severity::Alarm,
        exercise: true,
        kind: ListContent::Faces,
        threshold: Some(0.5),
        entries: vec![entry],
    };
    let province = Province {
        id: SiteId::new("dong-nai").unwrap(),
        name: names("province"),
    };
    let site = Site {
        id: key().site,
        province: Some(province.id.clone()),
        name: names("site"),
        gates: vec![gate],
        devices: vec![device],
    };
    Seeds {
        files: vec![("park.toml".into(), "hash".into())],
        provinces: vec![province],
        sites: vec![site],
        lists: vec![list],
        users: vec![User {
            id: "ioc".into(),
            name: names("ioc"),
            role: Role::Operator,
        }],
    }
}

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
