//! A province in small: the machine's own Mosquitto and PostgreSQL, several offices as processes, and simulated edges that
//! decide nothing but send with the real outbox and publisher. Invariant: what was started ends with its value.

use crate::stage::{House, Program, free_port};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vong_edge::clock::{Clock, SystemClock};
use vong_edge::outbox::{DEFAULT_LIMIT_BYTES, Draft, Outbox, OutboxError};
use vong_edge::publish::{LatestBundle, LatestViews, Publisher};
use vong_servers::{Mosquitto, Postgres, ServerError};
use vong_wire::{
    Alert, AlertCause, BootId, CameraId, Count, Crossing, DeviceId, Direction, EntryId, Event, EventBody, EventId,
    Health, LineId, ListId, ObjectClass, PlateMatch, Severity, SiteId, UnixMs,
};

/// What a broker of a province needs beyond its listener; the same two lines stand in `deploy/mosquitto`.
pub const BROKER_LINES: &str = "allow_anonymous true\nmax_inflight_messages 0\nmax_queued_messages 200000\n";

/// Broker and database.
pub struct Province {
    /// The broker.
    pub broker: Mosquitto,
    /// The database.
    pub database: Postgres,
    root: PathBuf,
    programs: PathBuf,
    folder: PathBuf,
}

/// An office of a province.
pub struct Office {
    /// Where it answers.
    pub house: House,
    /// Its process.
    pub program: Program,
}

impl Province {
    /// Starts broker and database.
    pub fn start(root: &Path, programs: &Path, folder: &Path, settings: &[&str]) -> Result<Self, ServerError> {
        Ok(Self {
            broker: Mosquitto::with(BROKER_LINES, |_| Ok(()))?,
            database: Postgres::start(settings)?,
            root: root.into(),
            programs: programs.into(),
            folder: folder.into(),
        })
    }

    /// Starts an office.
    pub async fn office(&self, name: &str) -> Result<Office> {
        let house = House {
            root: self.root.clone(),
            programs: self.programs.clone(),
            folder: self.folder.join(name),
            http_port: free_port()?,
            mqtt_port: self.broker.port(),
        };
        std::fs::create_dir_all(&house.folder)?;
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:{}\"\n[broker.outside]\nhost = \"127.0.0.1\"\nport = {}\n\
             [store]\npostgres = \"{}\"\n[evidence]\nfolder = \"{}\"\n",
            house.http_port,
            house.mqtt_port,
            self.database.url(),
            self.folder.join("evidence").display()
        );
        let path = house.folder.join("central.toml");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let program = house.start_central(&path).await?;
        Ok(Office { house, program })
    }
}

impl Office {
    /// What the API answers.
    pub async fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.house.page());
        Ok(reqwest::get(&url)
            .await
            .with_context(|| format!("cannot reach {url}"))?
            .json()
            .await?)
    }

    /// Waits until a figure of the store has grown so far.
    pub async fn wait_for(&self, figure: &str, least: u64, within: Duration) -> Result<u64> {
        let grown = async {
            loop {
                let found = self.ask("/api/v1/stats").await?[figure].as_u64().unwrap_or(0);
                if found >= least {
                    return Ok(found);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(within, grown)
            .await
            .with_context(|| format!("{figure} did not reach {least} within {within:?}"))?
    }
}

/// A device that decides nothing, but sends as every device does.
pub struct Edge {
    /// Where it stands.
    pub site: SiteId,
    /// Its name.
    pub device: DeviceId,
    /// What it has not been told to forget.
    pub outbox: Arc<Outbox>,
    boot: BootId,
    stop: CancellationToken,
    publisher: Option<JoinHandle<Result<(), OutboxError>>>,
}

impl Edge {
    /// Opens its outbox.
    pub async fn open(folder: &Path, number: usize) -> Result<Self> {
        Ok(Self {
            site: SiteId::new("park")?,
            device: DeviceId::new(format!("edge-{number}"))?,
            outbox: Arc::new(Outbox::open(&folder.join(format!("edge-{number}")), DEFAULT_LIMIT_BYTES).await?),
            boot: BootId::generate(),
            stop: CancellationToken::new(),
            publisher: None,
        })
    }

    /// Begins to send.
    pub fn connect(&mut self, port: u16) {
        let bundles = Arc::new(LatestBundle::default());
        let came = bundles.clone();
        let (version, bundle_version) = watch::channel(0);
        // Watchlists are taken as if they were put in force, so that they are not sent again and again.
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    bundle = came.take() => version.send_replace(bundle.version),
                    () = version.closed() => return,
                };
            }
        });
        let boot = self.boot;
        let mut publisher = Publisher {
            site: self.site.clone(),
            device: self.device.clone(),
            broker: ("127.0.0.1".into(), port),
            tls: None,
            boot,
            models: Default::default(),
            outbox: self.outbox.clone(),
            views: Arc::new(LatestViews::default()),
            clock: Arc::new(SystemClock),
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
                rss_mib: 0,
            }),
            health_every: Duration::from_secs(5),
            bundles,
            bundle_version,
            stop: self.stop.clone(),
        };
        self.publisher = Some(tokio::spawn(async move { publisher.run().await }));
    }

    /// Stops sending.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        if let Some(publisher) = self.publisher {
            publisher.await??;
        }
        self.outbox.close().await;
        Ok(())
    }

    /// Somebody crossed the line.
    pub fn crossing(&self, at_ms: UnixMs, direction: Direction, track: u64) -> Event {
        Event {
            id: made_at(at_ms),
            seq: 0,
            boot: self.boot,
            camera: camera(),
            camera_time_ms: at_ms,
            sent_ms: 0,
            replayed: false,
            body: EventBody::Crossing(Crossing {
                line: line(),
                direction,
                class: ObjectClass::Person,
                track,
            }),
        }
    }

    /// A minute of the line.
    pub fn minute(&self, minute_ms: UnixMs) -> Draft {
        Draft::Count(Count {
            seq: 0,
            boot: self.boot,
            camera: camera(),
            line: line(),
            minute_ms,
            entered: 1,
            left: 1,
            epoch_ms: 0,
            total_in: 0,
            total_out: 0,
            coverage: 1.0,
            in_sd: None,
            out_sd: None,
            sent_ms: 0,
        })
    }

    /// A plate of a list is in front of the camera now.
    pub fn alert(&self) -> Alert {
        Alert {
            id: EventId::generate(),
            seq: 0,
            boot: self.boot,
            camera: camera(),
            camera_time_ms: SystemClock.now_ms(),
            sent_ms: 0,
            replayed: false,
            event: EventId::generate(),
            severity: Severity::Alarm,
            has_evidence: false,
            cause: AlertCause::Plate {
                list: ListId::new("banned").expect("an id"),
                entry: EntryId::new("one").expect("an id"),
                plate: "60A66666".into(),
                matched: PlateMatch::Exact,
            },
        }
    }
}

fn camera() -> CameraId {
    CameraId::new("gate").expect("an id")
}

fn line() -> LineId {
    LineId::new("main").expect("an id")
}

/// An id as a device makes it at a time.
fn made_at(at_ms: UnixMs) -> EventId {
    let random = EventId::generate().0.as_u128() & ((1 << 80) - 1);
    EventId(uuid::Uuid::from_u128(((at_ms.max(0) as u128) << 80) | random))
}
