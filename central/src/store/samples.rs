//! What the suite of stores writes: messages of one device, and the seeds that it stands in.

use super::*;
use crate::domain::{Camera, Device, Entry, Gate, GateId, Line, LineKey, ListContent};
use vong_wire::{
    Alert, AlertCause, BootId, CameraId, Count, Crossing, DeviceId, DeviceStatus, Direction, EntryId, Event, EventBody,
    LineId, ListId, ObjectClass, PlateMatch, Severity, State,
};

/// 2026-11-25T00:00:00+07:00
pub(super) const MIDNIGHT_MS: UnixMs = 1_795_539_600_000;

pub(super) fn names(text: &str) -> Names {
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

pub(super) fn crossing(at_ms: UnixMs, direction: Direction) -> Event {
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

pub(super) fn alert(list: &str) -> Alert {
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

pub(super) fn state(status: DeviceStatus, bundle_version: u64) -> State {
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

pub(super) fn seeds() -> Seeds {
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
