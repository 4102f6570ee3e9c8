//! Two offices share one broker and one database. One is killed, then the broker: nothing is lost, nothing is stored
//! twice, and the page of the one that lives hears of every alert, whoever committed it.

use super::here;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use vong_edge::clock::{Clock, SystemClock};
use vong_edge::outbox::Draft;
use vong_servers::or_skip;
use vong_tests::feed::subscribe;
use vong_tests::outage::BadLink;
use vong_tests::province::{Edge, Office, Province};
use vong_wire::Direction;

const EDGES: usize = 4;
/// Of each edge, before and after the first office is killed.
const HALF: u64 = 400;
const ALERTS: u64 = 5;
const WITHIN: Duration = Duration::from_secs(60);

/// Broker and database, where the machine has them and the offices are built.
fn province(folder: &Path) -> Option<Province> {
    if !here::programs().join("vong-central").exists() {
        println!("skipped: vong-central is not there; run `make build`");
        assert!(std::env::var_os("CI").is_none(), "in CI everything must be there");
        return None;
    }
    or_skip(Province::start(
        &here::root(),
        &here::programs(),
        folder,
        &["fsync=off"],
    ))
}

#[tokio::test]
async fn killing_an_office_and_the_broker_loses_nothing_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut province) = province(folder.path()) else {
        return;
    };
    let doomed = province.office("a").await.expect("the first office starts");
    let office = province.office("b").await.expect("the second office starts");
    let mut feed = subscribe(&office.house.page()).await.expect("the feed opens");
    let listener = tokio::spawn(async move {
        let mut alerts: Vec<String> = Vec::new();
        while let Some(message) = feed.recv().await {
            if message.name == "alert" {
                alerts.push(message.data["id"].as_str().unwrap_or_default().to_string());
            }
        }
        alerts
    });

    let (mut edges, mut sent, mut alarms) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for number in 0..EDGES {
        let mut edge = Edge::open(folder.path(), number).await.expect("an outbox opens");
        decide(&edge, 0, &mut sent, &mut alarms).await;
        edge.connect(province.broker.port());
        edges.push(edge);
    }
    office
        .wait_for("events", HALF / 4, WITHIN)
        .await
        .expect("events are stored");
    doomed.program.kill().await.expect("an office can be killed");
    for edge in &edges {
        decide(edge, HALF, &mut sent, &mut alarms).await;
    }
    let before = office
        .wait_for("events", HALF / 2, WITHIN)
        .await
        .expect("events are stored");
    office
        .wait_for("events", before + 1, WITHIN)
        .await
        .expect("the other office goes on");
    province.broker.kill();
    province.broker.start_again().expect("the broker starts again");
    for edge in &edges {
        let drained = tokio::time::timeout(WITHIN, edge.outbox.drained()).await;
        drained
            .expect("every outbox is emptied in time")
            .expect("an outbox can be read");
    }

    let stats = office.ask("/api/v1/stats").await.expect("the office answers");
    assert_eq!(stats["events"], sent.len(), "{stats}");
    assert_eq!(
        (&stats["alerts"], &stats["quarantined"]),
        (&alarms.len().into(), &0.into()),
        "{stats}"
    );
    let stored = events(&office).await;
    assert_eq!(stored.len(), sent.len(), "an id is stored twice or not at all");
    assert!(stored == sent, "what is stored is not what was sent");
    lines_agree(&office, &sent).await;
    for edge in edges {
        edge.stop().await.expect("an edge stops");
    }
    office.program.stop().await.expect("the office stops when told to");
    let mut told = listener.await.expect("the feed was read to its end");
    let repeated = told.len();
    told.sort();
    told.dedup();
    assert_eq!(repeated, told.len(), "an alert was told twice");
    let silent: Vec<_> = alarms.iter().filter(|id| told.binary_search(id).is_err()).collect();
    assert!(
        silent.is_empty(),
        "{} alerts were stored but never told: {silent:?}",
        silent.len()
    );
}

/// An alarm that the broker took while no office listened is gone there. The next office asks for it, and it is stored long
/// before its device would send it again of itself (after 30 s).
#[tokio::test]
async fn an_alarm_sent_while_no_office_listened_is_stored_as_soon_as_one_does() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(province) = province(folder.path()) else {
        return;
    };
    let first = province.office("a").await.expect("an office starts");
    let link = BadLink::start(province.broker.port(), None).expect("a link can be made");
    let mut edge = Edge::open(folder.path(), 0).await.expect("an outbox opens");
    edge.connect(link.port());
    let alarm = async |sent: usize| {
        let draft = Draft::Alert(edge.alert());
        edge.outbox.append(vec![draft]).await.expect("the outbox takes it");
        while link.lately() < sent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    alarm(1).await;
    first.wait_for("alerts", 1, WITHIN).await.expect("an alert is stored");
    first.program.kill().await.expect("an office can be killed");
    alarm(2).await;
    let second = province.office("b").await.expect("another office starts");
    second
        .wait_for("alerts", 2, Duration::from_secs(20))
        .await
        .expect("the alarm is asked for");
    edge.stop().await.expect("an edge stops");
    second.program.stop().await.expect("the office stops when told to");
}

/// Things that happen in front of an edge: crossings two minutes ago, so that they are history, and alerts now.
async fn decide(edge: &Edge, from: u64, sent: &mut BTreeMap<String, String>, alarms: &mut BTreeSet<String>) {
    let mut drafts = Vec::new();
    for track in from..from + HALF {
        let direction = if track % 3 == 0 { Direction::Out } else { Direction::In };
        let event = edge.crossing(SystemClock.now_ms() - 120_000, direction, track);
        let way = if direction == Direction::In { "in" } else { "out" };
        sent.insert(
            event.id.to_string(),
            format!("{} {way} {}", edge.device, event.camera_time_ms),
        );
        drafts.push(Draft::Event(event));
    }
    for _ in 0..ALERTS {
        let alert = edge.alert();
        alarms.insert(alert.id.to_string());
        drafts.push(Draft::Alert(alert));
    }
    edge.outbox.append(drafts).await.expect("the outbox takes it");
}

/// Every stored event, page by page.
async fn events(office: &Office) -> BTreeMap<String, String> {
    let (mut stored, mut before) = (BTreeMap::new(), String::new());
    loop {
        let page = office
            .ask(&format!("/api/v1/events?limit=500{before}"))
            .await
            .expect("the office answers");
        let rows = page.as_array().expect("a list");
        for row in rows {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_string();
            let told = format!("{} {} {}", text("device"), text("direction"), row["camera_time_ms"]);
            assert_eq!(stored.insert(text("id"), told), None, "an id is listed twice");
        }
        match rows.last() {
            Some(last) => before = format!("&before={}", last["id"].as_str().unwrap_or_default()),
            None => return stored,
        }
    }
}

/// The headcounts of the day agree with what was sent, unless midnight fell in between.
async fn lines_agree(office: &Office, sent: &BTreeMap<String, String>) {
    let overview = office.ask("/api/v1/overview").await.expect("the office answers");
    let day = |at_ms: i64| (at_ms + 7 * 3_600_000).div_euclid(86_400_000);
    let now_ms = overview["now_ms"].as_i64().expect("a time");
    let times = sent
        .values()
        .filter_map(|told| told.rsplit(' ').next()?.parse::<i64>().ok());
    if times.into_iter().any(|at_ms| day(at_ms) != day(now_ms)) {
        return;
    }
    let sum = |name: &str| -> u64 {
        let devices = overview["devices"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lists = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        let lines = devices
            .iter()
            .flat_map(|device| lists(device, "cameras"))
            .flat_map(|camera| lists(&camera, "lines"));
        lines.filter_map(|line| line[name].as_u64()).sum()
    };
    let of = |way: &str| sent.values().filter(|told| told.split(' ').nth(1) == Some(way)).count() as u64;
    assert_eq!((sum("in_today"), sum("out_today")), (of("in"), of("out")));
}
