//! From the broker to the store. Invariant: a message of QoS 1 is acknowledged, to the broker and to its device, only
//! after it was committed; while the store refuses, nothing is acknowledged and the outboxes wait.

mod backoff;
pub mod broker;
mod decode;
mod link;

use crate::config::{Broker, Config, OutsideConfig};
use crate::domain::now_ms;
use crate::service::{Service, make_bundle};
use crate::store::{Batch, Origin, QuarantineRow, Record, StoreError};
use backoff::Backoff;
use decode::{Context, Fleeting, Taken};
use link::{Gone, Link, LinkEvent, LinkSettings, Message, Receipt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vong_wire::{Ack, AckItem, Channel, Command, CommandBody, DeviceId, DeviceStatus, SiteId, Topic, WatchlistBundle};

/// Messages committed in one transaction at most.
const MOST_AT_ONCE: usize = 256;
/// How often devices are looked over whose watchlists are not those in force.
const BUNDLES_EVERY: Duration = Duration::from_secs(30);

/// Takes in what devices publish, and sends them their watchlists.
pub struct Collector {
    service: Arc<Service>,
    settings: LinkSettings,
    alarm_limit_ms: i64,
    bundle: Arc<WatchlistBundle>,
    stop: CancellationToken,
}

/// Why a link ended.
enum End {
    Stopped,
    Lost { cause: String, was_connected: bool },
}

/// Why the broker's password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read [broker.outside] password_file `{path}`: {cause}; write the password alone into it")]
pub struct PasswordError {
    path: std::path::PathBuf,
    cause: std::io::Error,
}

impl Collector {
    /// A collector for the broker of a configuration.
    ///
    /// # Errors
    /// When the broker's password cannot be read.
    pub fn new(
        config: &Config,
        service: Arc<Service>,
        bundle: WatchlistBundle,
        stop: CancellationToken,
    ) -> Result<Self, PasswordError> {
        let settings = match config.broker.chosen() {
            Broker::Inside(inside) => LinkSettings {
                host: inside.listen.ip().to_string(),
                port: inside.listen.port(),
                client: format!("vong-central.{}", std::process::id()),
                login: None,
            },
            Broker::Outside(outside) => outside_settings(outside)?,
        };
        Ok(Self {
            service,
            settings,
            alarm_limit_ms: i64::from(config.alarm.time_limit_s) * 1_000,
            bundle: Arc::new(bundle),
            stop,
        })
    }

    /// Collects until told to stop; a lost link is made again after a jittered wait.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let (cause, was_connected) = match self.run_once().await {
                End::Stopped => return,
                End::Lost { cause, was_connected } => (cause, was_connected),
            };
            if was_connected {
                backoff = Backoff::default();
            }
            let wait = backoff.next(&mut rand::rng());
            let LinkSettings { host, port, .. } = &self.settings;
            let wait_ms = wait.as_millis() as u64;
            tracing::warn!(
                host,
                port,
                cause,
                wait_ms,
                "no link to the broker; devices keep what they decide"
            );
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn run_once(&mut self) -> End {
        let (mut link, fleeting) = Link::open(&self.settings);
        let glances = tokio::spawn(glance_at(self.service.clone(), fleeting));
        let stop = self.stop.clone();
        let mut bundles = tokio::time::interval(BUNDLES_EVERY);
        let mut connected = false;
        let end = loop {
            let events = tokio::select! {
                biased;
                () = stop.cancelled() => break End::Stopped,
                events = link.next(MOST_AT_ONCE) => events,
                _ = bundles.tick(), if connected => {
                    self.send_bundles(&link).await;
                    continue;
                }
            };
            let (mut messages, mut lost) = (Vec::new(), None);
            for event in events {
                match event {
                    LinkEvent::Connected => {
                        connected = true;
                        let LinkSettings { host, port, .. } = &self.settings;
                        tracing::info!(host, port, "connected to the broker");
                    }
                    LinkEvent::Sure(message) => messages.push(*message),
                    LinkEvent::Lost(cause) => lost = Some(cause),
                }
            }
            let kept = match messages.is_empty() {
                true => Ok(()),
                false => self.keep(&link, messages).await,
            };
            let gone = kept.err().map(|cause| cause.to_string());
            if let Some(cause) = lost.or(gone) {
                break End::Lost {
                    cause,
                    was_connected: connected,
                };
            }
        };
        if matches!(end, End::Stopped) {
            let _ = tokio::time::timeout(Duration::from_secs(3), link.close()).await;
        }
        glances.abort();
        end
    }

    /// Commits messages, then acknowledges them.
    async fn keep(&mut self, link: &Link, messages: Vec<(Message, Receipt)>) -> Result<(), Gone> {
        let directory = self.service.directory();
        let context = Context {
            directory: &directory,
            received_ms: now_ms(),
            alarm_limit_ms: self.alarm_limit_ms,
        };
        let (mut taken, mut receipts) = (Vec::new(), Vec::new());
        for (message, receipt) in messages {
            taken.push(decode::take(&message.topic, &message.payload, message.seq, &context));
            receipts.push(receipt);
        }
        let greeted = taken.iter().any(|taken| matches!(&taken.record, Record::State(..)));
        let acks = self.commit(taken).await.ok_or(Gone)?;
        for ((site, device), items) in acks {
            let topic = Topic::new(&site, &device, Channel::Ack);
            match serde_json::to_vec(&Ack { items }) {
                Ok(coded) => link.publish(&topic, coded).await?,
                Err(cause) => tracing::error!(%cause, "an acknowledgement cannot be coded"),
            }
        }
        for receipt in &receipts {
            link.acknowledge(receipt).await?;
        }
        if greeted {
            self.send_bundles(link).await;
        }
        Ok(())
    }

    /// Commits until it is done; none if told to stop before.
    async fn commit(&self, taken: Vec<Taken>) -> Option<BTreeMap<(SiteId, DeviceId), Vec<AckItem>>> {
        let mut acks: BTreeMap<_, Vec<AckItem>> = BTreeMap::new();
        let (mut records, mut pictures) = (Vec::new(), Vec::new());
        for one in taken {
            if let (Some(bytes), Record::Evidence(_, evidence)) = (one.picture, &one.record) {
                pictures.push((evidence.file.clone(), bytes));
            }
            if let Some((Origin { site, device, .. }, item)) = one.ack {
                acks.entry((site, device)).or_default().push(item);
            }
            records.push(one.record);
        }
        let mut backoff = Backoff::default();
        let mut said = false;
        loop {
            let cause = match self.try_commit(&pictures, &records).await {
                Ok(()) => return Some(acks),
                Err(Failed::Refused(cause)) => {
                    tracing::error!(cause, "the database refuses a message; it goes to quarantine");
                    self.quarantine_refused(&mut records).await;
                    continue;
                }
                Err(Failed::NotNow(cause)) => cause,
            };
            if !std::mem::replace(&mut said, true) {
                tracing::error!(
                    cause,
                    "what devices publish cannot be kept; nothing is acknowledged until it can"
                );
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(backoff.next(&mut rand::rng())) => {}
            }
        }
    }

    async fn try_commit(&self, pictures: &[(String, bytes::Bytes)], records: &[Record]) -> Result<(), Failed> {
        if !pictures.is_empty() {
            let (folder, pictures) = (self.service.evidence.clone(), pictures.to_vec());
            let written = tokio::task::spawn_blocking(move || {
                pictures.iter().try_for_each(|(file, bytes)| folder.write(file, bytes))
            });
            let written = written.await.map_err(|cause| Failed::NotNow(cause.to_string()))?;
            written.map_err(|cause| Failed::NotNow(cause.to_string()))?;
        }
        let batch = Batch {
            stored_ms: now_ms(),
            records: records.to_vec(),
        };
        self.service.keep(&batch).await.map_err(|cause| match cause {
            StoreError::Refused(_) => Failed::Refused(cause.to_string()),
            other => Failed::NotNow(other.to_string()),
        })
    }

    /// Finds the records that the database refuses by committing one at a time, and puts their description in their place.
    async fn quarantine_refused(&self, records: &mut [Record]) {
        for record in records {
            let alone = Batch {
                stored_ms: now_ms(),
                records: vec![record.clone()],
            };
            if let Err(StoreError::Refused(cause)) = self.service.keep(&alone).await {
                *record = Record::Quarantine(QuarantineRow {
                    received_ms: now_ms(),
                    topic: "refused by the database".into(),
                    reason: cause.to_string().chars().take(500).collect(),
                    head: format!("{record:?}").into_bytes().into_iter().take(16 * 1024).collect(),
                    bytes: 0,
                });
            }
        }
    }

    /// Sends the watchlists to every device that is there and has older ones. A device with newer ones than this
    /// office (its database was set back) is overtaken.
    async fn send_bundles(&mut self, link: &Link) {
        if let Err(cause) = self.try_send_bundles(link).await {
            tracing::error!(%cause, "watchlists could not be sent; it is tried again");
        }
    }

    async fn try_send_bundles(&mut self, link: &Link) -> Result<(), StoreError> {
        let store = self.service.shared_store();
        let devices = store.devices().await?;
        let newest = devices.iter().map(|row| row.bundle_version).max().unwrap_or(0);
        if newest > self.bundle.version {
            let directory = self.service.directory();
            self.bundle = Arc::new(make_bundle(&store, &directory, newest, now_ms()).await?);
        }
        let behind = |row: &&crate::store::DeviceRow| {
            row.status == Some(DeviceStatus::Online) && row.bundle_version < self.bundle.version
        };
        for row in devices.iter().filter(behind) {
            let command = Command {
                id: uuid::Uuid::now_v7(),
                body: CommandBody::Watchlists((*self.bundle).clone()),
            };
            let coded = serde_json::to_vec(&command).map_err(|cause| StoreError::Refused(cause.into()))?;
            let topic = Topic::new(&row.site, &row.device, Channel::Command);
            if link.publish(&topic, coded).await.is_err() {
                return Ok(());
            }
            tracing::info!(site = %row.site, device = %row.device, version = self.bundle.version, "watchlists sent");
        }
        Ok(())
    }
}

enum Failed {
    /// These very records can never be written.
    Refused(String),
    /// It may work later.
    NotNow(String),
}

fn outside_settings(outside: OutsideConfig) -> Result<LinkSettings, PasswordError> {
    let login = match outside.user.zip(outside.password_file) {
        None => None,
        Some((user, path)) => match std::fs::read_to_string(&path) {
            Ok(password) => Some((user, password.trim_end_matches(['\r', '\n']).to_string())),
            Err(cause) => return Err(PasswordError { path, cause }),
        },
    };
    Ok(LinkSettings {
        host: outside.host,
        port: outside.port,
        client: outside.client,
        login,
    })
}

/// Takes up what may be lost, beside the commits.
async fn glance_at(service: Arc<Service>, mut fleeting: mpsc::Receiver<Message>) {
    while let Some(message) = fleeting.recv().await {
        let directory = service.directory();
        let context = Context {
            directory: &directory,
            received_ms: now_ms(),
            alarm_limit_ms: 0,
        };
        match decode::glance(&message.topic, &message.payload, &context) {
            Ok(Fleeting::View(origin, view)) => service.show_view(&origin, view),
            Ok(Fleeting::Health(origin, health)) => {
                if let Err(cause) = service.show_health(&origin, health).await {
                    tracing::error!(%cause, "a device's health could not be noted");
                }
            }
            // It may be lost by its nature, but what a device sends wrong must show.
            Err(reason) => tracing::warn!(reason, "a picture or health message was not understood"),
        }
    }
}
