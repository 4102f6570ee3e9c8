//! One showing of the demo: central and an edge are started, the feed is followed as a page follows it, and what was
//! seen is set beside what is true.

use crate::feed::{self, Message};
use crate::outcome::{Row, Seen};
use crate::stage::{House, Program};
use anyhow::{Context, Result, ensure};
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use vong_sample_video::truth::{Barrier, Colour, Truth};

/// The clips last 80 s; the rest is for slow machines.
const EDGE_ENDS_WITHIN: Duration = Duration::from_secs(600);
/// After the edge has ended, the feed may lie behind by this much.
const FEED_ENDS_WITHIN: Duration = Duration::from_secs(10);
/// A clip is played as fast as it was recorded if this share of its length is not exceeded: a file's last frame is due
/// before its end.
const PACE_SLACK: f64 = 1.02;
/// In and out may differ from the truth by this share.
const COUNT_WITHIN: f64 = 0.10;

/// What `vong-edge run --once` prints at its end.
#[derive(Debug, Clone, Deserialize)]
pub struct EdgeSummary {
    /// Messages by kind.
    pub decided: BTreeMap<String, u64>,
    /// Messages that central did not acknowledge.
    pub unacknowledged: u64,
    /// By camera.
    pub cameras: BTreeMap<String, CameraSummary>,
}

/// What a camera did.
#[derive(Debug, Clone, Deserialize)]
pub struct CameraSummary {
    /// Frames that came.
    pub frames: u64,
    /// Frames that nobody looked at.
    pub frames_replaced: u64,
    /// From the first frame to the last decision, s.
    pub wall_s: f64,
    /// Length of what was played, s.
    pub played_s: f64,
}

/// All that one showing told.
#[derive(Debug)]
pub struct Told {
    /// By the live feed.
    pub seen: Seen,
    /// By the edge.
    pub edge: EdgeSummary,
    /// By central's `stats`.
    pub stats: Value,
}

/// Plays every clip once and gathers what was told. `central` must be running.
pub async fn play_once(house: &House, edge_toml: &std::path::Path, progress: &ProgressBar) -> Result<Told> {
    let mut feed = feed::subscribe(&house.page()).await?;
    let edge = house.start(
        "vong-edge",
        &["run", "--once", "--config", &edge_toml.to_string_lossy()],
    )?;
    let mut seen = Seen::default();
    let summary = follow(edge, &mut feed, &mut seen, progress).await?;
    let expected =
        summary.decided.get("events").copied().unwrap_or(0) + summary.decided.get("alerts").copied().unwrap_or(0);
    // What is committed is told at once, but over another connection.
    let rest = async {
        while (seen.ids.len() as u64) < expected || seen.with_picture.len() < seen.alerts.len() {
            match feed.recv().await {
                Some(message) => seen.take(&message),
                None => return,
            }
        }
    };
    let in_time = tokio::time::timeout(FEED_ENDS_WITHIN, rest).await.is_ok();
    ensure!(in_time || !seen.ids.is_empty(), "the live feed told nothing at all");
    let stats = reqwest::get(format!("{}/api/v1/stats", house.page()))
        .await?
        .json()
        .await?;
    Ok(Told {
        seen,
        edge: summary,
        stats,
    })
}

async fn follow(
    edge: Program,
    feed: &mut Receiver<Message>,
    seen: &mut Seen,
    progress: &ProgressBar,
) -> Result<EdgeSummary> {
    let ended = edge.finish(EDGE_ENDS_WITHIN);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            printed = &mut ended => {
                let printed = printed?;
                return serde_json::from_str(&printed).with_context(|| format!("vong-edge printed no summary: {printed}"));
            }
            Some(message) = feed.recv() => {
                seen.take(&message);
                if message.name == "view" {
                    progress.tick();
                    progress.set_message(seen.in_short());
                }
            }
        }
    }
}

/// What was seen beside what is true.
pub fn compare(truth: &Truth, told: &Told) -> Vec<Row> {
    let mut rows = Vec::new();
    let seen = &told.seen;
    for line in &truth.walkway.lines {
        let (entered, left) = seen.crossings.get(&truth.walkway.camera).copied().unwrap_or_default();
        for (way, truth_n, seen_n) in [("vào / in", line.entered, entered), ("ra / out", line.left, left)] {
            let what = format!("{} {way} (±{:.0} %)", truth.walkway.camera, COUNT_WITHIN * 100.0);
            let good = seen_n.abs_diff(truth_n) as f64 <= truth_n as f64 * COUNT_WITHIN;
            rows.push(Row::new(what, truth_n.to_string(), seen_n.to_string(), good));
        }
    }
    let entries: BTreeSet<String> = truth.gate.persons.iter().map(|person| person.entry.clone()).collect();
    let matched = seen.entries.get(&truth.gate.camera).cloned().unwrap_or_default();
    let elsewhere: usize = seen
        .entries
        .iter()
        .filter(|(camera, _)| **camera != truth.gate.camera)
        .map(|(_, e)| e.len())
        .sum();
    let good = matched == entries && elsewhere == 0;
    rows.push(Row::new(
        format!("{} nhận mặt / faces matched", truth.gate.camera),
        join(&entries),
        join(&matched),
        good,
    ));
    rows.extend(compare_plates(&truth.barrier, seen));
    rows.extend(compare_alerts(truth, seen));
    rows.extend(compare_delivery(told));
    rows.extend(compare_pace(told));
    rows
}

fn compare_plates(truth: &Barrier, seen: &Seen) -> Vec<Row> {
    let nothing = Vec::new();
    let read = seen.plates.get(&truth.camera).unwrap_or(&nothing);
    let mut rows = Vec::new();
    for vehicle in &truth.vehicles {
        let colour = colour_name(vehicle.colour);
        let of_it: Vec<String> = read
            .iter()
            .filter(|(plate, ..)| *plate == vehicle.plate)
            .map(|(plate, _, colour, lines)| format!("{plate} {colour} {lines}"))
            .collect();
        let expected = format!("{} {colour} {}", vehicle.plate, vehicle.rows().len());
        let good = of_it == [expected.clone()];
        rows.push(Row::new(
            format!("{} biển số / plate", truth.camera),
            expected,
            of_it.join(", "),
            good,
        ));
    }
    let known: BTreeSet<&str> = truth.vehicles.iter().map(|vehicle| vehicle.plate.as_str()).collect();
    let others: BTreeSet<String> = read
        .iter()
        .map(|(plate, ..)| plate.clone())
        .filter(|plate| !known.contains(plate.as_str()))
        .collect();
    rows.push(Row::new(
        format!("{} đọc nhầm / read falsely", truth.camera),
        "0",
        match others.is_empty() {
            true => "0".to_string(),
            false => join(&others),
        },
        others.is_empty(),
    ));
    rows
}

fn compare_alerts(truth: &Truth, seen: &Seen) -> Vec<Row> {
    let faces = truth.gate.persons.len();
    let banned = truth.barrier.vehicles.iter().filter(|vehicle| vehicle.banned).count();
    let alerts = |camera: &str| {
        let of_camera = seen.alerts.iter().filter(|(of, ..)| of == camera);
        let with_picture = of_camera
            .clone()
            .filter(|(_, _, id)| seen.with_picture.contains(id))
            .count();
        (of_camera.count(), with_picture)
    };
    let row = |camera: &str, expected: usize| {
        let (count, with_picture) = alerts(camera);
        let what = format!("{camera} cảnh báo kèm ảnh / alerts with picture");
        let good = count == expected && with_picture == expected;
        Row::new(what, expected.to_string(), with_picture.to_string(), good)
    };
    vec![row(&truth.gate.camera, faces), row(&truth.barrier.camera, banned)]
}

fn compare_delivery(told: &Told) -> Vec<Row> {
    let stored = |key: &str| told.stats[key].as_u64().unwrap_or(0);
    let mut rows: Vec<Row> = ["events", "alerts", "evidence", "counts"]
        .iter()
        .map(|kind| {
            let sent = told.edge.decided.get(*kind).copied().unwrap_or(0);
            let what = format!("{kind}: đã gửi = đã lưu / published = stored");
            Row::new(what, sent.to_string(), stored(kind).to_string(), sent == stored(kind))
        })
        .collect();
    let repeated = told.seen.repeated;
    rows.push(Row::new(
        "lặp lại / told twice",
        "0",
        repeated.to_string(),
        repeated == 0,
    ));
    let lost = told.edge.unacknowledged + stored("quarantined");
    rows.push(Row::new(
        "chưa xác nhận, cách ly / unacknowledged, quarantined",
        "0",
        lost.to_string(),
        lost == 0,
    ));
    rows
}

fn compare_pace(told: &Told) -> Vec<Row> {
    let pace = |(camera, summary): (&String, &CameraSummary)| {
        let what = format!("{camera} nhịp / pace (bỏ / replaced {})", summary.frames_replaced);
        let good = summary.wall_s <= summary.played_s * PACE_SLACK + 0.5;
        let truth = format!("{:.1} s", summary.played_s);
        Row::new(
            what,
            truth,
            format!("{:.1} s, {} hình / frames", summary.wall_s, summary.frames),
            good,
        )
    };
    told.edge.cameras.iter().map(pace).collect()
}

fn colour_name(colour: Colour) -> &'static str {
    match colour {
        Colour::White => "white",
        Colour::Yellow => "yellow",
        Colour::Blue => "blue",
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
