//! `bench pipeline --cameras N`: many cameras at their own speed, by the device's own threads, schedule and outbox.
//! Invariant: a frame that nobody looked at in time is counted as such, and every figure a frame is of all cameras, divided
//! by the frames that they worked on.

use super::pipeline::{PipelineArgs, stages};
use crate::camera::Books;
use crate::clock::SystemClock;
use crate::crew::Crew;
use crate::device::{Camera, Device, watch};
use crate::eval::count::round;
use crate::eval::usage::{Usage, memory_mib};
use crate::outbox::{DEFAULT_LIMIT_BYTES, Outbox};
use crate::telemetry::{CameraTelemetry, Counted};
use crate::watchdog::Patience;
use anyhow::{Context, ensure};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vong_models::session::inference_time;
use vong_wire::{BootId, CameraStatus};

/// A folder that is there as long as this.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the command.
///
/// # Errors
/// When the clip or the models cannot be read, or there is no place for an outbox.
pub fn run(args: &PipelineArgs) -> anyhow::Result<serde_json::Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()?;
    runtime.block_on(run_cameras(args))
}

async fn run_cameras(args: &PipelineArgs) -> anyhow::Result<serde_json::Value> {
    args.look_at_clip()?;
    let folder = Folder(std::env::temp_dir().join(format!("vong-bench-{}", std::process::id())));
    let outbox = Arc::new(
        Outbox::open(&folder.0, DEFAULT_LIMIT_BYTES)
            .await
            .context("no outbox for the bench")?,
    );
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (first, lists) = args.open()?;
    let mut nets = vec![first];
    for _ in 1..workers {
        nets.push(args.open()?.0);
    }
    let boot = BootId::generate();
    let mut cameras = Vec::new();
    for number in 0..args.cameras {
        let config = args.camera(number)?;
        let telemetry = Arc::new(CameraTelemetry::new(config.id.clone()));
        let books = Books::new(&config, boot);
        cameras.push(Camera::new(config, telemetry, books));
    }
    let device = Arc::new(Device::new(
        cameras,
        outbox.clone(),
        lists,
        workers,
        CancellationToken::new(),
    ));
    let (usage, start, inference) = (Usage::now(), Instant::now(), inference_time());
    let again = args.clone();
    let crew = Crew {
        nets,
        open: Arc::new(move || Ok(again.open()?.0)),
        patience: Patience::default(),
    };
    let mut memory = Vec::new();
    {
        let watched = watch(&device, crew, Arc::new(SystemClock));
        tokio::pin!(watched);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                ended = &mut watched => break ended?,
                _ = second.tick() => memory.push(memory_mib()),
            }
        }
    }
    let wall_s = start.elapsed().as_secs_f64();
    let spent = usage.until_now();
    let inference_s = (inference_time() - inference).as_secs_f64();
    let mut all = Counted::default();
    for camera in &device.cameras {
        ensure!(
            camera.telemetry.status() == CameraStatus::Ended,
            "`{}` was not played to its end; what is wrong with it is said above",
            args.video.display()
        );
        all.add(&camera.telemetry.ever());
    }
    outbox.close().await;
    // What was never looked at cost its decoding only, and would make the others seem cheap.
    let count = all.worked_on().max(1) as f64;
    let ms = |share: f64| round(all.decided.share_ms(share), 10.0);
    Ok(json!({
        "frames": all.frames,
        "fps": round(all.frames as f64 / wall_s.max(1e-9), 100.0),
        "cpu_ms_per_frame": round(spent.cpu_s * 1e3 / count, 1000.0),
        "decode_ms_per_frame": round(spent.children_s * 1e3 / count, 1000.0),
        "inference_ms_per_frame": round(inference_s * 1e3 / count, 1000.0),
        "overhead_ratio": round(spent.cpu_s / (spent.children_s + inference_s).max(1e-9), 1000.0),
        "rss_mib": spent.rss_mib,
        "rss_mib_by_quarter": by_quarter(&memory),
        "stages": stages(&all, count),
        "cameras": args.cameras,
        "workers": workers,
        "frames_replaced": all.frames_replaced,
        "frames_shed": all.frames_shed,
        "cores_used": round(spent.cpu_s / wall_s.max(1e-9), 100.0),
        "frame_to_event_ms": { "p50": ms(0.5), "p99": ms(0.99) },
    }))
}

/// The most of each quarter of the readings, in order: flat once the first is over, or it grows.
fn by_quarter(readings: &[u64]) -> Vec<u64> {
    let quarter = readings.len().div_ceil(4).max(1);
    let most = readings.chunks(quarter).map(|part| part.iter().copied().max());
    most.map(Option::unwrap_or_default).collect()
}
