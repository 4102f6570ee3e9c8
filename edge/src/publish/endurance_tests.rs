//! A day without a broker, as fast as the disk allows: memory and threads must stay where they were. Measured in a process
//! of its own, since other tests live in this one.

use super::tests::{Device, alert, crossing};
use super::*;
use crate::telemetry::rss_mib;
use std::process::Command;

const CHILD: &str = "publish::endurance_tests::lives_a_day_without_a_broker";
/// Ten minutes are written at once: what is looked for does not depend on it, the time on a slow disk does.
const TENTHS: usize = 24 * 6;
/// Small enough to be full long before the day is over.
const LIMIT_BYTES: u64 = 4 << 20;
const MOST_GROWTH_MIB: u64 = 12;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[tokio::test]
#[ignore = "measures its own process; the test beside it starts it"]
async fn lives_a_day_without_a_broker() {
    // A port that was free a moment ago: every attempt is refused.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let device = Device::start_bounded(port, LIMIT_BYTES).await;
    let mut begin = None;
    for tenth in 0..TENTHS {
        let mut drafts: Vec<Draft> = (0..80).map(|_| crossing()).collect();
        for _ in 0..3 {
            let (id, alert) = alert();
            let jpeg = vec![7; 30_000];
            drafts.extend([alert, Draft::Evidence { alert: id, jpeg }]);
        }
        device.outbox.append(drafts).await.unwrap();
        // The first half fills the outbox and the caches of its database; what grows after that would grow for ever.
        if tenth == TENTHS / 2 {
            begin = Some((rss_mib(), threads()));
        }
    }
    let (rss, count) = begin.unwrap();
    let health = device.outbox.health().await.unwrap();
    assert!(health.bytes <= LIMIT_BYTES && health.evidence_dropped > 0 && health.alerts_dropped == 0);
    println!("measured {rss} {count} {} {}", rss_mib(), threads());
    device.end().await;
}

#[test]
fn memory_and_threads_are_flat_over_a_day_without_a_broker() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", CHILD, "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let measured = text.split_once("measured ").expect("it was measured").1.lines().next();
    let figures: Vec<u64> = measured
        .unwrap()
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    println!(
        "RSS {} to {} MiB, threads {} to {}",
        figures[0], figures[2], figures[1], figures[3]
    );
    assert!(figures[2] <= figures[0] + MOST_GROWTH_MIB, "memory grew: {figures:?}");
    assert!(figures[3] <= figures[1] + 1, "threads grew: {figures:?}");
}
