//! From the broker to the store. Invariant: a message of QoS 1 is acknowledged, to the broker and to its device, only
//! after it was committed; while the store refuses, nothing is acknowledged and the outboxes wait.

mod backoff;
pub mod broker;
mod decode;
mod intake;
mod link;
mod measure;

use crate::config::{Broker, Config, OutsideConfig};
use crate::domain::now_ms;
use crate::service::{Service, make_bundle};
use crate::store::StoreError;
use backoff::Backoff;
use decode::{Context, Fleeting};
use intake::{Decoded, Intake, MOST_AT_ONCE};
use link::{Gone, Link, LinkEvent, LinkSettings, Message, Receipt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vong_wire::{Channel, Command, CommandBody, DeviceStatus, Topic, WatchlistBundle};

pub use measure::{IngestFigures, measure_ingest};

/// Unacknowledged messages that the broker inside may send: `rumqttd` 0.20 sends no more than 100 anyway.
const INSIDE_AT_ONCE: u16 = 200;
/// Messages that are decoded where they come: about 100 us.
const FEW: usize = 32;
/// How often devices are looked over whose watchlists are not those in force.
const BUNDLES_EVERY: Duration = Duration::from_secs(30);

/// Takes in what devices publish, and sends them their watchlists.
pub struct Collector {
    intake: Intake,
    settings: LinkSettings,
    bundle: Arc<WatchlistBundle>,
    stop: CancellationToken,
}

/// Messages understood, with what lets the broker forget them.
struct Received {
    decoded: Decoded,
    receipts: Vec<Receipt>,
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
                client: unique_client(),
                login: None,
                share: None,
                most_at_once: INSIDE_AT_ONCE,
            },
            Broker::Outside(outside) => outside_settings(outside)?,
        };
        Ok(Self {
            intake: Intake {
                service,
                alarm_limit_ms: i64::from(config.alarm.time_limit_s) * 1_000,
                stop: stop.clone(),
            },
            settings,
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
        let glances = tokio::spawn(glance_at(self.intake.service.clone(), fleeting));
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
                false => {
                    let received = self.decode(messages).await;
                    self.keep(&link, received).await
                }
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

    /// Understands messages; many of them beside the tasks that must not wait.
    async fn decode(&self, messages: Vec<(Message, Receipt)>) -> Received {
        let (messages, receipts): (Vec<Message>, Vec<Receipt>) = messages.into_iter().unzip();
        if messages.len() <= FEW {
            let decoded = self.intake.decode(&messages);
            return Received { decoded, receipts };
        }
        let (intake, messages) = (self.intake.clone(), Arc::new(messages));
        let theirs = messages.clone();
        let decoded = tokio::task::spawn_blocking(move || intake.decode(theirs.iter())).await;
        // A panic there would be a fault of ours; here it is met again, where it belongs to the caller.
        let decoded = decoded.unwrap_or_else(|_| self.intake.decode(messages.iter()));
        Received { decoded, receipts }
    }

    /// Commits messages, then acknowledges them: to their devices, then to the broker.
    async fn keep(&mut self, link: &Link, received: Received) -> Result<(), Gone> {
        let greeted = received.decoded.greeted;
        let acks = self.intake.commit(received.decoded).await.ok_or(Gone)?;
        for (topic, coded) in acks {
            link.publish(&topic, coded).await?;
        }
        for receipt in &received.receipts {
            link.acknowledge(receipt).await?;
        }
        if greeted {
            self.send_bundles(link).await;
        }
        Ok(())
    }

    /// Sends the watchlists to every device that is there and has older ones. A device with newer ones than this
    /// office (its database was set back) is overtaken.
    async fn send_bundles(&mut self, link: &Link) {
        if let Err(cause) = self.try_send_bundles(link).await {
            tracing::error!(%cause, "watchlists could not be sent; it is tried again");
        }
    }

    async fn try_send_bundles(&mut self, link: &Link) -> Result<(), StoreError> {
        let store = self.intake.service.shared_store();
        let devices = store.devices().await?;
        let newest = devices.iter().map(|row| row.bundle_version).max().unwrap_or(0);
        if newest > self.bundle.version {
            let directory = self.intake.service.directory();
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

/// Two offices of one name would throw each other out of the broker for ever.
fn unique_client() -> String {
    format!("vong-central.{}", uuid::Uuid::new_v4().simple())
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
        client: outside.client.unwrap_or_else(unique_client),
        login,
        share: Some(outside.share).filter(|share| !share.is_empty()),
        most_at_once: MOST_AT_ONCE as u16,
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
