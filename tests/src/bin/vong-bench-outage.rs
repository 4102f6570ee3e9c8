//! The day after an outage: every simulated edge has a day of events in its outbox and the link comes back. Measures how
//! long the drain takes through a real Mosquitto into a real PostgreSQL, and how long a new alert takes meanwhile from the
//! edge's outbox to the page's feed. One JSON object on standard output; status 1 where something is lost or doubled.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::json;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use vong_edge::clock::{Clock, SystemClock};
use vong_edge::outbox::Draft;
use vong_tests::feed::subscribe;
use vong_tests::province::{Edge, Province};
use vong_wire::Direction;

const DAY_MS: i64 = 86_400_000;
const MINUTES: u64 = 1_440;
const AT_ONCE: usize = 2_000;

/// The day after an outage.
#[derive(Parser)]
struct Arguments {
    /// Simulated edges.
    #[arg(long, default_value_t = 50)]
    edges: usize,
    /// Messages stored in all outboxes together: events, and a count a minute of each edge.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Offices.
    #[arg(long, default_value_t = 2)]
    offices: usize,
    /// A new alert so often, ms.
    #[arg(long, default_value_t = 100)]
    alert_every_ms: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = tempfile::tempdir()?;
    let programs = std::env::current_exe()?;
    let programs = programs.parent().context("a program lies in a folder")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("tests/ lies in the workspace")?;
    let mut edges = Vec::new();
    for number in 0..arguments.edges {
        edges.push(Edge::open(folder.path(), number).await?);
    }
    let each = arguments.messages / arguments.edges as u64;
    let minutes = each.min(MINUTES);
    eprintln!("filling {} outboxes with {each} messages each", arguments.edges);
    for edge in &edges {
        fill(edge, each - minutes, minutes).await?;
    }
    let province = Province::start(
        root,
        programs,
        folder.path(),
        &["shared_buffers=256MB", "max_wal_size=2GB"],
    )?;
    let mut offices = Vec::new();
    for number in 0..arguments.offices {
        offices.push(province.office(&format!("office-{number}")).await?);
    }
    let first = offices.first().context("at least one office")?;
    let mut feed = subscribe(&first.house.page()).await?;
    let listener = tokio::spawn(async move {
        let (mut arrived, mut reloads) = (HashMap::new(), 0_u64);
        while let Some(message) = feed.recv().await {
            match message.name.as_str() {
                "alert" => {
                    let id = message.data["id"].as_str().unwrap_or_default().to_string();
                    arrived.entry(id).or_insert(message.arrived_ms);
                }
                "reload" => reloads += 1,
                _ => {}
            }
        }
        (arrived, reloads)
    });

    eprintln!("the link comes back");
    let begun = Instant::now();
    for edge in &mut edges {
        edge.connect(province.broker.port());
    }
    let mut decided = HashMap::new();
    let mut every = tokio::time::interval(Duration::from_millis(arguments.alert_every_ms));
    let mut told = Instant::now();
    for turn in 0.. {
        every.tick().await;
        let edge = &edges[turn % edges.len()];
        let alert = edge.alert();
        decided.insert(alert.id.to_string(), alert.camera_time_ms);
        edge.outbox.append(vec![Draft::Alert(alert)]).await?;
        if told.elapsed() > Duration::from_secs(5) {
            told = Instant::now();
            let mut waiting = 0;
            for edge in &edges {
                waiting += edge.outbox.depth().await?;
            }
            eprintln!("{:>4} s: {waiting} messages wait", begun.elapsed().as_secs());
            if waiting < edges.len() as u64 {
                break;
            }
        }
    }
    for edge in &edges {
        edge.outbox.drained().await?;
    }
    let drain_s = begun.elapsed().as_secs_f64();
    let stats = first.ask("/api/v1/stats").await?;
    for edge in edges {
        edge.stop().await?;
    }
    for office in offices {
        office.program.stop().await?;
    }
    let (arrived, reloads) = listener.await?;
    let mut waits: Vec<i64> = decided
        .iter()
        .filter_map(|(id, at_ms)| Some(arrived.get(id)? - at_ms))
        .collect();
    waits.sort_unstable();
    let share = |share: f64| {
        waits
            .get(((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1)))
            .copied()
    };
    let messages = each * arguments.edges as u64;
    let stored = stats["events"].as_u64().unwrap_or(0) + stats["counts"].as_u64().unwrap_or(0);
    let figures = json!({
        "messages": messages,
        "edges": arguments.edges,
        "offices": arguments.offices,
        "drain_s": drain_s,
        "messages_per_s": messages as f64 / drain_s,
        "alerts": decided.len(),
        "alerts_told": waits.len(),
        "alert_ms": {"p50": share(0.5), "p99": share(0.99), "max": waits.last()},
        "stored": stored,
        "alerts_stored": stats["alerts"],
        "came_again": stats["doubled"],
        "feed_reloads": reloads,
    });
    println!("{figures}");
    ensure!(
        stored == messages,
        "{messages} messages were sent and {stored} are stored"
    );
    ensure!(
        stats["alerts"] == decided.len(),
        "{} alerts were sent: {stats}",
        decided.len()
    );
    Ok(())
}

/// A day of events and minutes that ended a quarter of an hour ago.
async fn fill(edge: &Edge, events: u64, minutes: u64) -> Result<()> {
    let end_ms = SystemClock.now_ms() - 900_000;
    let mut drafts = Vec::with_capacity(AT_ONCE);
    for n in 0..events + minutes {
        let at_ms = end_ms - DAY_MS + (n as i64 * DAY_MS) / (events + minutes) as i64;
        let draft = match n < events {
            true => {
                let direction = if n % 2 == 0 { Direction::In } else { Direction::Out };
                Draft::Event(edge.crossing(at_ms, direction, n))
            }
            false => edge.minute((end_ms - DAY_MS).div_euclid(60_000) * 60_000 + (n - events) as i64 * 60_000),
        };
        drafts.push(draft);
        if drafts.len() == AT_ONCE {
            edge.outbox.append(std::mem::take(&mut drafts)).await?;
        }
    }
    Ok(edge.outbox.append(drafts).await?)
}
