//! The wiring of the appliance, from the cameras to the broker; how the cameras work is in `device`. Invariant: a
//! decision is in the outbox before anything acts on it.

use crate::camera::{Books, Lists};
use crate::clock::{BootClock, Clock};
use crate::config::Config;
use crate::crew::Crew;
use crate::device::{Camera, Device, Summary, watch};
use crate::identify::{Gallery, PlateLists};
use crate::nets::{Needs, Nets};
use crate::outbox::Outbox;
use crate::publish::{LatestBundle, Publisher};
use crate::sync::Watchlists;
use crate::telemetry::{CameraTelemetry, rss_mib};
use crate::watchdog::{Notify, Patience};
use anyhow::Context;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vong_models::{Manifest, Store};
use vong_wire::{BootId, Health, Trouble, WatchlistBundle};

/// How long `run --once` waits for central to commit what was seen.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// Watches the cameras of a configuration until `stop`, or with `once` until every file has ended and central has
/// committed what was seen.
pub async fn run(config: Config, once: bool, stop: CancellationToken) -> anyhow::Result<Summary> {
    let store = Store::locate();
    let manifest = Manifest::load(config.models.manifest.as_deref())?;
    let workers = config
        .device
        .workers
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let needs = Needs::of(&config);
    let models = config.models.clone();
    let open = move || -> anyhow::Result<Nets> { Ok(Nets::open(&store, &manifest, &models, needs, 1)?) };
    let nets = (0..workers).map(|_| open()).collect::<anyhow::Result<Vec<_>>>()?;
    let embedding = nets[0]
        .faces
        .as_ref()
        .map(|(_, embedder)| (embedder.model().to_string(), embedder.default_threshold()));
    nets[0].suit(&config.cameras)?;
    let names = nets[0].names();

    let clock: Arc<dyn Clock> = Arc::new(BootClock::default());
    let boot = BootId::generate();
    let outbox = Arc::new(Outbox::open(&config.device.data, config.device.outbox_mib << 20).await?);
    let watchlists = Arc::new(Watchlists::open(&config.device.data));
    let mut cameras = Vec::new();
    for camera in &config.cameras {
        let telemetry = Arc::new(CameraTelemetry::new(camera.id.clone()));
        let mut books = Books::new(camera, boot);
        for line in &camera.lines {
            let totals = outbox.totals(&camera.id, &line.id, clock.now_ms()).await?;
            books.show_totals(&line.id, totals.entered, totals.left);
        }
        cameras.push(Camera::new(camera.clone(), telemetry, books));
    }
    let lists = prepare(&watchlists.current(), embedding.as_ref());
    let device = Arc::new(Device::new(cameras, outbox.clone(), lists, workers, stop.clone()));

    let bundles = Arc::new(LatestBundle::default());
    let publisher_stop = CancellationToken::new();
    let (site, device_id, broker) = Publisher::address(&config);
    let publisher = Publisher {
        site,
        device: device_id,
        broker,
        tls: config.broker.tls.clone(),
        boot,
        models: names,
        outbox: outbox.clone(),
        views: device.views.clone(),
        clock: clock.clone(),
        health: health_report(device.clone(), boot, clock.clone(), config.device.data.clone()),
        health_every: Duration::from_secs(config.device.health_s),
        bundles: bundles.clone(),
        bundle_version: watchlists.version(),
        stop: publisher_stop.clone(),
    };
    let publishing = tokio::spawn(keep_publishing(publisher));
    let syncing = tokio::spawn(take_bundles(bundles, watchlists, device.clone(), embedding));

    let notify = Notify::from_environment();
    let watching = tokio::spawn(keep_alive(device.clone(), notify, publishing.abort_handle()));
    let crew = Crew {
        nets,
        open: Arc::new(open),
        patience: Patience::default(),
    };
    watch(&device, crew, clock).await?;
    watching.abort();

    if once {
        let drained = tokio::time::timeout(DRAIN_WITHIN, outbox.drained()).await;
        if drained.is_err() {
            tracing::warn!(
                left = outbox.depth().await?,
                "central has not committed everything; it stays in the outbox"
            );
        }
    }
    publisher_stop.cancel();
    publishing.await.context("the publisher failed")?;
    syncing.abort();
    let summary = device.summary(outbox.depth().await?);
    outbox.close().await;
    Ok(summary)
}

/// Between two looks at whether all is well, where systemd does not ask.
const LOOK: Duration = Duration::from_secs(5);

/// Tells systemd that all is well while the box can mend itself and the publisher is there; ends never.
async fn keep_alive(device: Arc<Device>, notify: Notify, publisher: tokio::task::AbortHandle) {
    notify.ready();
    let mut every = tokio::time::interval(notify.every().unwrap_or(LOOK));
    let mut said = false;
    loop {
        every.tick().await;
        let degraded = device.restarts.degraded(Instant::now());
        if !degraded && !publisher.is_finished() {
            notify.alive();
            said = false;
        } else if !std::mem::replace(&mut said, true) {
            let what = match degraded {
                true => "stages hang and restarting them does not help",
                false => "the publisher has ended",
            };
            tracing::error!("{what}; systemd will start this program anew");
        }
    }
}

/// A publisher that cannot read its outbox tries again: the disk may come back.
async fn keep_publishing(mut publisher: Publisher) {
    let mut backoff = crate::publish::Backoff::default();
    while let Err(cause) = publisher.run().await {
        tracing::error!(%cause, "the outbox cannot be read; nothing is published until it can");
        tokio::select! {
            () = publisher.stop.cancelled() => return,
            () = tokio::time::sleep(backoff.next(&mut rand::rng())) => {}
        }
    }
}

/// Puts watchlists in force, beside the tasks that must not wait: a list of 100,000 is written and laid out in seconds.
async fn take_bundles(
    incoming: Arc<LatestBundle>,
    watchlists: Arc<Watchlists>,
    device: Arc<Device>,
    embedding: Option<(String, f32)>,
) {
    loop {
        let bundle = incoming.take().await;
        let (watchlists, device, embedding) = (watchlists.clone(), device.clone(), embedding.clone());
        let put = tokio::task::spawn_blocking(move || match watchlists.replace(bundle) {
            Ok(true) => {
                device.set_lists(prepare(&watchlists.current(), embedding.as_ref()));
                tracing::info!(version = watchlists.current().version, "watchlists are in force");
            }
            Ok(false) => tracing::debug!("watchlists came that are not newer"),
            Err(cause) => tracing::error!(%cause, "watchlists came but cannot be kept; the old ones stay in force"),
        });
        if put.await.is_err() {
            tracing::error!("watchlists came but could not be laid out; the old ones stay in force");
        }
    }
}

fn prepare(bundle: &WatchlistBundle, embedding: Option<&(String, f32)>) -> Lists {
    let gallery = embedding.map_or_else(Gallery::default, |(model, threshold)| {
        let (gallery, faults) = Gallery::new(bundle, model, *threshold);
        for fault in faults {
            tracing::error!(%fault, "a watchlist cannot be searched");
        }
        gallery
    });
    Lists {
        gallery,
        plates: PlateLists::new(bundle),
    }
}

fn health_report(
    device: Arc<Device>,
    boot: BootId,
    clock: Arc<dyn Clock>,
    data: std::path::PathBuf,
) -> crate::publish::HealthReport {
    Box::new(move |outbox_depth, outbox| {
        let (trouble, restarts) = health_of(&device);
        Health {
            boot,
            at_ms: clock.now_ms(),
            clock_unsure: clock.is_unsure(),
            trouble,
            restarts,
            cameras: device.cameras.iter().map(|camera| camera.telemetry.drain()).collect(),
            outbox_depth,
            outbox: Some(outbox),
            disk_free_mib: crate::telemetry::disk_free_mib(&data),
            rss_mib: rss_mib(),
        }
    })
}

/// What is wrong with the device as a whole, and how often a stage was restarted.
pub(crate) fn health_of(device: &Device) -> (Option<Trouble>, u64) {
    let degraded = device.restarts.degraded(Instant::now());
    (degraded.then_some(Trouble::Hangs), device.restarts.ever())
}
