//! From the broker to the store. Invariant: a message of QoS 1 is acknowledged, to the broker and to its device, only
//! after it was committed; while the store refuses, nothing is acknowledged and the outboxes wait.

mod backoff;
pub mod broker;
mod decode;
mod intake;
mod link;
mod measure;
#[cfg(test)]
mod tls_tests;

use crate::config::{Broker, Config, OutsideConfig};
use crate::domain::now_ms;
use crate::service::{Service, make_bundle};
use crate::store::StoreError;
use backoff::Backoff;
use decode::{Context, Fleeting};
use intake::{Decoded, Intake, MOST_AT_ONCE};
use link::{Gone, Lane, Link, LinkEvent, LinkSettings, Message, Receipt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vong_wire::{Channel, Command, CommandBody, DeviceStatus, Topic, WatchlistBundle};

pub use measure::{IngestFigures, measure_ingest};

/// Unacknowledged messages that the broker inside may send: `rumqttd` 0.20 sends no more than 100 anyway.
const INSIDE_AT_ONCE: u16 = 200;
/// The same of a broker outside: one batch is being committed while the next one comes.
const OUTSIDE_AT_ONCE: u16 = 2 * MOST_AT_ONCE as u16;
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
    /// The connection was made among them.
    connected: bool,
}

/// What happened while a batch was being committed.
enum Next {
    Stop,
    Bundles,
    /// Messages came, or the link was lost, or both.
    Received(Received, Option<String>),
}

/// Takes apart what a link tells, and decodes the messages in it.
async fn take_in(intake: &Intake, events: Vec<LinkEvent>) -> Next {
    let (mut messages, mut receipts): (Vec<Message>, Vec<Receipt>) = (Vec::new(), Vec::new());
    let (mut connected, mut lost) = (false, None);
    for event in events {
        match event {
            LinkEvent::Connected => connected = true,
            LinkEvent::Sure(message) => {
                messages.push(message.0);
                receipts.push(message.1);
            }
            LinkEvent::Lost(cause) => lost = Some(cause),
        }
    }
    let decoded = intake.decode(messages).await;
    let received = Received {
        decoded,
        receipts,
        connected,
    };
    Next::Received(received, lost)
}

/// Commits messages, then acknowledges them: to their devices, then to the broker.
async fn keep(intake: &Intake, link: &Link, received: Received) -> Result<(), Gone> {
    if received.receipts.is_empty() {
        return Ok(());
    }
    let acks = intake.commit(received.decoded).await.ok_or(Gone)?;
    for (topic, coded) in acks {
        link.publish(&topic, coded).await?;
    }
    for receipt in &received.receipts {
        link.acknowledge(receipt).await?;
    }
    Ok(())
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
    /// The collectors for the broker of a configuration: one for the broker inside, one a lane for one outside.
    ///
    /// # Errors
    /// When the broker's password cannot be read.
    pub fn of(
        config: &Config,
        service: &Arc<Service>,
        bundle: WatchlistBundle,
        stop: &CancellationToken,
    ) -> Result<Vec<Self>, PasswordError> {
        let settings = match config.broker.chosen() {
            Broker::Inside(inside) => LinkSettings {
                host: inside.listen.ip().to_string(),
                port: inside.listen.port(),
                tls: None,
                client: unique_client(),
                login: None,
                share: None,
                most_at_once: INSIDE_AT_ONCE,
                lane: Lane::All,
            },
            Broker::Outside(outside) => outside_settings(outside)?,
        };
        let bundle = Arc::new(bundle);
        let collector = |settings: LinkSettings| Self {
            intake: Intake {
                service: service.clone(),
                alarm_limit_ms: i64::from(config.alarm.time_limit_s) * 1_000,
                stop: stop.clone(),
            },
            settings,
            bundle: bundle.clone(),
            stop: stop.clone(),
        };
        if settings.lane == Lane::All {
            return Ok(vec![collector(settings)]);
        }
        let bulk = LinkSettings {
            client: format!("{}.bulk", settings.client),
            lane: Lane::Bulk,
            ..settings.clone()
        };
        Ok(vec![collector(settings), collector(bulk)])
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
        let (link, mut events, fleeting) = Link::open(&self.settings);
        let glances = tokio::spawn(glance_at(self.intake.service.clone(), fleeting));
        let (intake, stop) = (self.intake.clone(), self.stop.clone());
        let mut bundles = tokio::time::interval(BUNDLES_EVERY);
        let (mut connected, lane) = (false, self.settings.lane);
        let mut received: Option<Received> = None;
        let end = loop {
            let waiting = received.take();
            let greeted = waiting.as_ref().is_some_and(|received| received.decoded.greeted);
            // While a batch is being committed, the next one is taken in and decoded.
            let keep = async {
                match waiting {
                    None => Ok(()),
                    Some(received) => keep(&intake, &link, received).await,
                }
            };
            let next = async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Next::Stop,
                    events = events.next(MOST_AT_ONCE) => take_in(&intake, events).await,
                    _ = bundles.tick(), if connected && lane != Lane::Bulk => Next::Bundles,
                }
            };
            let (kept, next) = tokio::join!(keep, next);
            let mut lost = kept.err().map(|cause| cause.to_string());
            match next {
                Next::Stop => break End::Stopped,
                Next::Bundles => self.send_bundles(&link).await,
                Next::Received(more, cause) => {
                    if more.connected {
                        connected = true;
                        let LinkSettings { host, port, .. } = &self.settings;
                        tracing::info!(host, port, "connected to the broker");
                        self.ask_again(&link).await;
                    }
                    received = Some(more);
                    lost = lost.or(cause);
                }
            }
            if greeted && lost.is_none() {
                self.send_bundles(&link).await;
            }
            if let Some(cause) = lost {
                break End::Lost {
                    cause,
                    was_connected: connected,
                };
            }
        };
        if matches!(end, End::Stopped) {
            let _ = tokio::time::timeout(Duration::from_secs(3), link.close(events)).await;
        }
        glances.abort();
        end
    }

    /// Tells every device that this office begins to listen: an acknowledgement of nothing. What the broker took from them
    /// before may have reached nobody; an alarm among it must not wait until its device loses patience. Those that seem to be
    /// away are told too: after a start none is known to be there.
    async fn ask_again(&self, link: &Link) {
        let devices = match self.intake.service.store().devices().await {
            Ok(devices) => devices,
            Err(cause) => {
                tracing::warn!(%cause, "devices are not asked to send again what may be lost; they do it after a while");
                return;
            }
        };
        let nothing = bytes::Bytes::from_static(br#"{"items":[]}"#);
        for row in &devices {
            let topic = Topic::new(&row.site, &row.device, Channel::Ack);
            if link.publish(&topic, nothing.clone()).await.is_err() {
                return;
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

/// Whether a message can be understood, kept or looked at. For those who send arbitrary bytes.
pub fn is_understood(topic: &str, payload: &[u8]) -> bool {
    let directory = crate::domain::Directory::default();
    let context = Context {
        directory: &directory,
        received_ms: 0,
        alarm_limit_ms: 0,
    };
    let payload = bytes::Bytes::copy_from_slice(payload);
    let kept = decode::take(topic, &payload, None, &context).record;
    let seen = decode::glance(topic, &payload, &context).is_ok();
    seen || !matches!(kept, crate::store::Record::Quarantine(_))
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
        tls: outside.tls,
        client: outside.client.unwrap_or_else(unique_client),
        login,
        share: Some(outside.share).filter(|share| !share.is_empty()),
        most_at_once: OUTSIDE_AT_ONCE,
        lane: Lane::Urgent,
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
