//! A gate without cameras, for fault tests: the edge's own outbox and publisher, and decisions made up. Each is written to
//! a ledger before (`try`) and after (`kept`) the outbox took it, so that a test knows what was promised. It is made to be
//! killed.

use anyhow::{Context, Result};
use clap::Parser;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vong_edge::clock::{Clock, SystemClock};
use vong_edge::outbox::{DEFAULT_LIMIT_BYTES, Outbox};
use vong_edge::publish::{LatestViews, Publisher};
use vong_tests::outage::{Gate, Step};
use vong_wire::{BootId, DeviceId, Health, SiteId, UnixMs};

/// Time that passes between two decisions in the pictures.
const STEP_MS: UnixMs = 1_500;
const DRAIN_WITHIN: Duration = Duration::from_secs(300);

#[derive(Debug, Parser)]
#[command(name = "vong-gate-sim", about = "A gate without cameras, for fault tests")]
struct Arguments {
    /// Port of the broker on this machine.
    #[arg(long)]
    port: u16,
    /// Folder of the outbox and the ledger.
    #[arg(long)]
    folder: PathBuf,
    /// Milliseconds between two decisions.
    #[arg(long, default_value_t = 10)]
    every_ms: u64,
    /// Decide nothing, wait until everything is acknowledged, print the totals.
    #[arg(long)]
    drain: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let outbox = Arc::new(Outbox::open(&arguments.folder, DEFAULT_LIMIT_BYTES).await?);
    let boot = BootId::generate();
    let stop = CancellationToken::new();
    let (_version, bundle_version) = watch::channel(0);
    let clock = Arc::new(SystemClock);
    let mut publisher = Publisher {
        site: SiteId::new("park")?,
        device: DeviceId::new("edge-1")?,
        broker: ("127.0.0.1".into(), arguments.port),
        tls: None,
        boot,
        models: BTreeMap::new(),
        outbox: outbox.clone(),
        views: Arc::new(LatestViews::default()),
        clock: clock.clone(),
        health: Box::new(move |outbox_depth, outbox| Health {
            boot,
            at_ms: SystemClock.now_ms(),
            clock_unsure: false,
            trouble: None,
            restarts: 0,
            cameras: vec![],
            outbox_depth,
            outbox: Some(outbox),
            disk_free_mib: 0,
            rss_mib: vong_edge::telemetry::rss_mib(),
        }),
        health_every: Duration::from_secs(1),
        bundles: Arc::default(),
        bundle_version,
        stop: stop.clone(),
    };
    let publishing = tokio::spawn(async move { publisher.run().await });
    if arguments.drain {
        let drained = tokio::time::timeout(DRAIN_WITHIN, outbox.drained()).await;
        drained.context("central has not acknowledged everything in time")??;
        let gate = Gate::new(boot, clock.now_ms())?;
        let totals = outbox.totals(&gate.camera, &gate.line, clock.now_ms()).await?;
        println!("{}", serde_json::json!({ "in": totals.entered, "out": totals.left }));
        stop.cancel();
        publishing.await??;
        return Ok(());
    }
    decide(&outbox, Gate::new(boot, clock.now_ms())?, &arguments).await
}

async fn decide(outbox: &Outbox, mut gate: Gate, arguments: &Arguments) -> Result<()> {
    let mut ledger = ledger(&arguments.folder)?;
    let mut every = tokio::time::interval(Duration::from_millis(arguments.every_ms.max(1)));
    loop {
        every.tick().await;
        let Step { drafts, ids } = gate.step(STEP_MS);
        note(&mut ledger, "try", &ids)?;
        outbox.append(drafts).await?;
        note(&mut ledger, "kept", &ids)?;
        ledger.sync_data()?;
    }
}

fn ledger(folder: &Path) -> Result<std::fs::File> {
    let path = folder.join("ledger");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

/// One write a note, so that a kill leaves whole lines.
fn note(ledger: &mut std::fs::File, what: &str, ids: &[(&'static str, String)]) -> Result<()> {
    let lines: String = ids.iter().map(|(kind, id)| format!("{what} {kind} {id}\n")).collect();
    Ok(ledger.write_all(lines.as_bytes())?)
}
