//! Parts of the house are killed and come back: nothing is lost, nothing is stored twice. `make soak` does it for longer.

use super::here;
use serde_json::Value;
use std::time::Duration;
use vong_tests::feed::{Message, subscribe};
use vong_tests::outage::{self, BrokerKind, Database, Plan};
use vong_tests::outcome::Seen;
use vong_tests::show::EdgeSummary;
use vong_tests::stage::House;

const WITHIN: Duration = Duration::from_secs(180);

#[tokio::test]
async fn what_is_decided_while_central_is_dead_is_stored_once_when_it_is_back() {
    let _turn = here::stage().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(house) = here::house(folder.path()) else {
        return;
    };
    let (central_toml, edge_toml) = house.write_configurations(true).expect("configurations can be written");
    only_camera(&edge_toml, "barrier");
    let central = house.start_central(&central_toml).await.expect("central starts");
    let mut feed = subscribe(&house.page()).await.expect("the feed opens");
    let edge = house
        .start(
            "vong-edge",
            &["run", "--once", "--config", &edge_toml.to_string_lossy()],
        )
        .expect("the edge starts");

    // The first plate is stored: now the power goes, while vehicles keep coming.
    let mut seen = Seen::default();
    while seen.plates.is_empty() {
        let message: Message = tokio::time::timeout(WITHIN, feed.recv())
            .await
            .expect("in time")
            .expect("the feed goes on");
        seen.take(&message);
    }
    central.kill().await.expect("central can be killed");
    // Two more vehicles pass before central is back.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let central = house
        .start_central(&central_toml)
        .await
        .expect("central starts again on what it has");

    let printed = edge
        .finish(WITHIN)
        .await
        .expect("the edge ends when everything is committed");
    let summary: EdgeSummary = serde_json::from_str(&printed).expect("the edge prints a summary");
    let stats = stats(&house).await;
    central.stop().await.expect("central stops when told to");
    assert_eq!(summary.unacknowledged, 0, "something was not committed");
    for kind in ["events", "alerts", "evidence", "counts"] {
        let sent = summary.decided.get(kind).copied().unwrap_or(0);
        assert_eq!(
            stats[kind].as_u64(),
            Some(sent),
            "{kind}: published and stored differ; {stats}"
        );
    }
    assert!(
        summary.decided["events"] >= 8,
        "eight vehicles pass, told {}",
        summary.decided["events"]
    );
    assert_eq!(stats["quarantined"], 0);
}

async fn stats(house: &House) -> Value {
    let answer = reqwest::get(format!("{}/api/v1/stats", house.page()))
        .await
        .expect("central answers");
    answer.json().await.expect("stats are JSON")
}

/// Leaves one camera in an edge's configuration.
fn only_camera(edge_toml: &std::path::Path, id: &str) {
    let text = std::fs::read_to_string(edge_toml).expect("the configuration was written");
    let mut table: toml::Table = text.parse().expect("it is TOML");
    let cameras = table
        .get_mut("camera")
        .and_then(|cameras| cameras.as_array_mut())
        .expect("it has cameras");
    cameras.retain(|camera| camera.get("id").and_then(|id| id.as_str()) == Some(id));
    assert_eq!(cameras.len(), 1, "no camera {id}");
    std::fs::write(edge_toml, toml::to_string(&table).expect("it can be written")).expect("it can be written");
}

/// The short form of `make soak`, on one broker.
async fn stands_out(broker: BrokerKind, kills: u64) {
    let _turn = here::stage().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let plan = Plan {
        seed: now.expect("it is after 1970").as_secs(),
        kills,
        broker,
        database: Database::Sqlite,
        programs: here::programs(),
        central: None,
        pause_ms: 800,
    };
    println!("seed {}", plan.seed);
    let report = outage::run(&plan).await.expect("the house comes to its end");
    println!("{report:?}");
    let verdict = report.verdict;
    assert_eq!((verdict.lost, verdict.doubled, verdict.totals_agree), (0, 0, true));
    assert!(verdict.decided > 0 && verdict.stored >= verdict.decided, "{verdict:?}");
}

#[tokio::test]
async fn kills_cuts_and_doubles_cost_nothing_with_the_broker_inside() {
    stands_out(BrokerKind::Inside, 8).await;
}

#[tokio::test]
async fn kills_cuts_and_doubles_cost_nothing_with_a_broker_that_forgets() {
    if let Some(mosquitto) = vong_servers::or_skip(vong_servers::Mosquitto::start()) {
        drop(mosquitto);
        stands_out(BrokerKind::Mosquitto, 12).await;
    }
}
