//! The publisher before real and false brokers: a Mosquitto that is killed and forgets its sessions, another client of the
//! same name, brokers that refuse, hang up or talk nonsense. It must come through each, without haste.

use super::*;
use crate::clock::SystemClock;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use vong_servers::{Mosquitto, or_skip};
use vong_wire::{
    AckItem, Alert, AlertCause, CameraId, Crossing, Direction, EntryId, Event, EventBody, EventId, FaceEntry, LineId,
    ListId, ListKind, ObjectClass, Severity, WatchlistBundle,
};

const WITHIN: Duration = Duration::from_secs(60);

pub(super) struct Device {
    pub(super) outbox: Arc<Outbox>,
    bundles: Arc<LatestBundle>,
    stop: CancellationToken,
    run: tokio::task::JoinHandle<Result<(), OutboxError>>,
    _folder: tempfile::TempDir,
}

impl Device {
    async fn start(port: u16) -> Self {
        Self::start_bounded(port, crate::outbox::DEFAULT_LIMIT_BYTES).await
    }

    pub(super) async fn start_bounded(port: u16, limit_bytes: u64) -> Self {
        Self::start_with(port, limit_bytes, None).await
    }

    pub(super) async fn start_with(port: u16, limit_bytes: u64, tls: Option<TlsFiles>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path(), limit_bytes).await.unwrap();
        let outbox = Arc::new(outbox);
        let bundles = Arc::new(LatestBundle::default());
        let (version, bundle_version) = watch::channel(0);
        let (stop, boot) = (CancellationToken::new(), BootId::generate());
        let health = move |outbox_depth, outbox| Health {
            boot,
            at_ms: 0,
            clock_unsure: false,
            trouble: None,
            restarts: 0,
            cameras: vec![],
            outbox_depth,
            outbox: Some(outbox),
            disk_free_mib: 0,
            rss_mib: 0,
        };
        let mut publisher = Publisher {
            site: site(),
            device: device(),
            broker: ("127.0.0.1".into(), port),
            tls,
            boot,
            models: BTreeMap::new(),
            outbox: outbox.clone(),
            views: Arc::default(),
            clock: Arc::new(SystemClock),
            health: Box::new(health),
            health_every: Duration::from_secs(1),
            bundles: bundles.clone(),
            bundle_version,
            stop: stop.clone(),
        };
        let run = tokio::spawn(async move {
            // The version's sender lives as long as the publisher.
            let _version = version;
            publisher.run().await
        });
        Self {
            outbox,
            bundles,
            stop,
            run,
            _folder: folder,
        }
    }

    pub(super) fn topic(&self, channel: Channel) -> Topic {
        Topic::new(&site(), &device(), channel)
    }

    pub(super) async fn drained(&self) {
        let drained = tokio::time::timeout(WITHIN, self.outbox.drained()).await;
        drained.expect("in time").unwrap();
    }

    pub(super) async fn end(self) {
        self.stop.cancel();
        self.run.await.unwrap().unwrap();
    }
}

fn site() -> SiteId {
    SiteId::new("park").unwrap()
}

fn device() -> DeviceId {
    DeviceId::new("edge-1").unwrap()
}

pub(super) fn crossing() -> Draft {
    Draft::Event(Event {
        id: EventId::generate(),
        seq: 0,
        boot: BootId::generate(),
        camera: CameraId::new("gate").unwrap(),
        camera_time_ms: 5,
        sent_ms: 0,
        replayed: false,
        body: EventBody::Crossing(Crossing {
            line: LineId::new("main").unwrap(),
            direction: Direction::In,
            class: ObjectClass::Person,
            track: 1,
        }),
    })
}

pub(super) fn alert() -> (EventId, Draft) {
    let id = EventId::generate();
    let alert = Alert {
        id,
        seq: 0,
        boot: BootId::generate(),
        camera: CameraId::new("gate").unwrap(),
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
    };
    (id, Draft::Alert(alert))
}

fn settings(port: u16, client_id: &str) -> LinkSettings {
    LinkSettings {
        host: "127.0.0.1".into(),
        port,
        tls: None,
        client_id: client_id.into(),
        will: (Topic::new(&site(), &device(), Channel::State), b"{}".to_vec()),
    }
}

/// Somebody who hears events and alerts, and asked for them before this returns.
pub(super) async fn listener(port: u16) -> Link {
    let mut link = Link::open(&settings(port, "listener"));
    assert!(matches!(link.next().await, LinkEvent::Connected));
    for channel in [Channel::Event, Channel::Alert, Channel::State] {
        link.subscribe(&Topic::new(&site(), &device(), channel)).unwrap();
    }
    // The broker answers in order: what it sends back was sent after it took the subscriptions.
    let state = Topic::new(&site(), &device(), Channel::State);
    link.publish(&state, Delivery::Fleeting, b"{}".to_vec(), None).unwrap();
    assert!(matches!(link.next().await, LinkEvent::Message { .. }));
    link
}

/// Acknowledges whatever comes, as central does after its commit; `evidence` are pictures by alert and number. Ends never.
pub(super) async fn office(port: u16, evidence: HashMap<EventId, (u64, usize)>, command: Option<Vec<u8>>) {
    let topic = |channel| Topic::new(&site(), &device(), channel);
    loop {
        let mut link = Link::open(&settings(port, "office"));
        loop {
            match link.next().await {
                LinkEvent::Connected => {
                    let pictures = evidence.keys().map(|alert| Channel::Evidence(*alert));
                    for channel in [Channel::Event, Channel::Alert, Channel::Count]
                        .into_iter()
                        .chain(pictures)
                    {
                        link.subscribe(&topic(channel)).unwrap();
                    }
                    if let Some(command) = &command {
                        link.publish(&topic(Channel::Command), Delivery::Retained, command.clone(), None)
                            .unwrap();
                    }
                }
                LinkEvent::Message { topic: from, payload } => {
                    let item = match Topic::parse(&from).unwrap().channel {
                        Channel::Event => {
                            let event: Event = serde_json::from_slice(&payload).unwrap();
                            (event.seq, Some(event.id))
                        }
                        Channel::Alert => {
                            let alert: Alert = serde_json::from_slice(&payload).unwrap();
                            (alert.seq, Some(alert.id))
                        }
                        Channel::Evidence(alert) => {
                            let (seq, length) = evidence[&alert];
                            assert_eq!(payload.len(), length, "a picture came broken");
                            (seq, Some(alert))
                        }
                        other => panic!("{other:?} was not sent"),
                    };
                    let items = vec![AckItem {
                        seq: item.0,
                        id: item.1,
                    }];
                    let ack = serde_json::to_vec(&Ack { items }).unwrap();
                    let _ = link.publish(&topic(Channel::Ack), Delivery::Sure, ack, None);
                }
                LinkEvent::Lost(_) => break,
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_broker_that_is_killed_and_forgets_everything_costs_nothing() {
    let Some(mut broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let office = tokio::spawn(office(broker.port(), HashMap::new(), None));
    let device = Device::start(broker.port()).await;
    for _ in 0..3 {
        let batch = (0..200).map(|_| crossing()).collect();
        device.outbox.append(batch).await.unwrap();
        // Some are on their way by now: the window holds 128.
        while device.outbox.depth().await.unwrap() > 150 {
            tokio::task::yield_now().await;
        }
        broker.kill();
        device.outbox.append(vec![crossing()]).await.unwrap();
        broker.start_again().unwrap();
        device.drained().await;
    }
    device.end().await;
    office.abort();
}

#[tokio::test]
async fn pictures_and_lists_far_above_ten_kibibytes_pass_both_ways() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let (id, alert) = alert();
    let jpeg = vec![0xd8; 900_000];
    let entries = (0..40).map(|number| FaceEntry {
        id: EntryId::new(format!("person-{number}")).unwrap(),
        embeddings: vec![vec![0.25; 512]],
        not_this: vec![],
    });
    let list = vong_wire::Watchlist {
        id: ListId::new("wanted").unwrap(),
        severity: Severity::Alarm,
        exercise: false,
        kind: ListKind::Faces {
            model: "any".into(),
            threshold: None,
            entries: entries.collect(),
        },
    };
    let command = Command {
        id: EventId::generate().0,
        body: CommandBody::Watchlists(WatchlistBundle {
            version: 7,
            lists: vec![list],
        }),
    };
    let command = serde_json::to_vec(&command).unwrap();
    assert!(command.len() > 50_000, "only {} bytes", command.len());
    let evidence = HashMap::from([(id, (2, jpeg.len()))]);
    let office = tokio::spawn(office(broker.port(), evidence, Some(command)));
    let device = Device::start(broker.port()).await;
    let drafts = vec![alert, Draft::Evidence { alert: id, jpeg }];
    device.outbox.append(drafts).await.unwrap();
    device.drained().await;
    let bundle = tokio::time::timeout(WITHIN, device.bundles.take()).await;
    assert_eq!(bundle.expect("in time").version, 7);
    device.end().await;
    office.abort();
}

#[tokio::test]
async fn lists_that_nobody_puts_in_force_hold_nothing_up() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let topic = Topic::new(&site(), &device(), Channel::Command);
    let device = Device::start(broker.port()).await;
    let mut listener = listener(broker.port()).await;
    // The device has asked for its commands once its state is heard: the broker takes both in order.
    assert!(matches!(listener.next().await, LinkEvent::Message { .. }));
    for version in 1..=100 {
        let bundle = WatchlistBundle { version, lists: vec![] };
        let command = Command {
            id: EventId::generate().0,
            body: CommandBody::Watchlists(bundle),
        };
        let command = serde_json::to_vec(&command).unwrap();
        listener.publish(&topic, Delivery::Sure, command, None).unwrap();
    }
    let office = tokio::spawn(office(broker.port(), HashMap::new(), None));
    device.outbox.append(vec![crossing()]).await.unwrap();
    device.drained().await;
    let newest = async { while device.bundles.take().await.version < 100 {} };
    tokio::time::timeout(WITHIN, newest).await.expect("in time");
    device.end().await;
    office.abort();
}

#[tokio::test]
async fn a_client_of_the_same_name_is_no_reason_to_spin() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let office = tokio::spawn(office(broker.port(), HashMap::new(), None));
    let device = Device::start(broker.port()).await;
    device.outbox.append(vec![crossing()]).await.unwrap();
    device.drained().await;
    let same = settings(broker.port(), "vong-edge.park.edge-1");
    // The intruder comes back at once each time; the device must come back ever more slowly.
    let intruding = Instant::now();
    let mut thrown_out = 0;
    while intruding.elapsed() < Duration::from_secs(4) {
        let mut link = Link::open(&same);
        let until_lost = async { while !matches!(link.next().await, LinkEvent::Lost(_)) {} };
        if tokio::time::timeout(Duration::from_secs(4), until_lost).await.is_ok() {
            thrown_out += 1;
        }
    }
    assert!(
        thrown_out <= 6,
        "the device connected {thrown_out} times in four seconds"
    );
    device.outbox.append(vec![crossing()]).await.unwrap();
    device.drained().await;
    device.end().await;
    office.abort();
}

/// Answers of brokers that are none, one a connection; after the last the port leads to a real broker.
fn bad_brokers(answers: Vec<&'static [u8]>, real: u16) -> (u16, Arc<Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = times.clone();
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            seen.lock().unwrap().push(Instant::now());
            match answers.next() {
                Some(answer) => {
                    let _ = client.read(&mut [0; 1024]);
                    let _ = client.write_all(answer);
                }
                None => {
                    let broker = TcpStream::connect(("127.0.0.1", real)).unwrap();
                    for (mut from, mut to) in [
                        (client.try_clone().unwrap(), broker.try_clone().unwrap()),
                        (broker, client),
                    ] {
                        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                    }
                }
            }
        }
    });
    (port, times)
}

#[tokio::test]
async fn brokers_that_refuse_hang_up_or_talk_nonsense_are_asked_again_without_haste() {
    let Some(broker) = or_skip(Mosquitto::start()) else {
        return;
    };
    let answers: Vec<&[u8]> = vec![
        // Not authorised; another protocol; a packet without end; nothing at all.
        &[0x20, 0x03, 0x00, 0x87, 0x00],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        &[0x20, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[],
    ];
    let bad = answers.len();
    let (port, times) = bad_brokers(answers, broker.port());
    let office = tokio::spawn(office(broker.port(), HashMap::new(), None));
    let device = Device::start(port).await;
    device.outbox.append(vec![crossing()]).await.unwrap();
    device.drained().await;
    device.end().await;
    office.abort();
    let times = times.lock().unwrap().clone();
    assert_eq!(times.len(), bad + 1, "one connection an attempt");
    for (number, pair) in times.windows(2).enumerate() {
        let wait = pair[1] - pair[0];
        let least = Duration::from_millis(250 << number.min(5));
        assert!(
            wait >= least,
            "attempt {number} was followed after {wait:?}, not {least:?}"
        );
    }
}
