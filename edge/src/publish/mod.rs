//! From the outbox to the broker. Invariant: nothing leaves the outbox here; it is forgotten only on central's own
//! acknowledgement. A window of unacknowledged messages is in flight; a new connection starts with an empty window.

mod backoff;
#[cfg(test)]
mod endurance_tests;
mod latest;
mod link;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
#[cfg(test)]
mod window_tests;

pub use backoff::Backoff;
pub use latest::{LatestBundle, LatestViews};

use crate::clock::Clock;
use crate::config::Config;
use crate::outbox::{Draft, Outbox, OutboxError, Pending};
use link::{Delivery, Link, LinkBusy, LinkEvent, LinkSettings};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vong_tls::TlsFiles;
use vong_wire::{
    Ack, BootId, Channel, Command, CommandBody, DeviceId, DeviceStatus, Health, OutboxHealth, SiteId, State, Topic,
    UnixMs,
};

/// Messages in flight at most: Mosquitto takes 20 at a time by default, the rest waits in the socket's queue. So many that
/// one commit of central's acknowledges enough of them, also where its disk is slow.
const WINDOW: usize = 128;
/// Alerts in flight beyond the window: an alert does not wait until a thousand stored events have been acknowledged.
const ALERTS_BEYOND: usize = 16;
/// Room from which the window is filled again: one look into the outbox for many messages.
const REFILL: usize = WINDOW / 4;
/// A message that central has not acknowledged by then on a standing link is sent again.
const RESEND_AFTER: Duration = Duration::from_secs(30);
/// How often it is looked what to send again: an office that comes and goes asks for no more than one window in that time.
const RESEND_EVERY: Duration = Duration::from_secs(2);
/// A link that stood for so long was a good one, as is one over which central acknowledged something: the next attempt
/// comes soon. Mere connecting is not enough: two clients of one name would throw each other out for ever.
const STOOD: Duration = Duration::from_secs(10);
/// A message older than this when it is sent is marked as replayed.
const LATE_MS: UnixMs = 10_000;

/// Writes the health of the device.
pub type HealthReport = Box<dyn Fn(u64, OutboxHealth) -> Health + Send + Sync>;

/// What the publisher works with.
pub struct Publisher {
    /// Site of the device.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// Host and port of the broker.
    pub broker: (String, u16),
    /// Files for TLS; without them the link is open.
    pub tls: Option<TlsFiles>,
    /// This start.
    pub boot: BootId,
    /// Model by job.
    pub models: BTreeMap<String, String>,
    /// What to send.
    pub outbox: Arc<Outbox>,
    /// What to show.
    pub views: Arc<LatestViews>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Writes a health message; takes the outbox's depth and figures.
    pub health: HealthReport,
    /// How often.
    pub health_every: Duration,
    /// Where new watchlists wait to be put in force.
    pub bundles: Arc<LatestBundle>,
    /// Version of the bundle in force.
    pub bundle_version: watch::Receiver<u64>,
    /// Ends the publisher.
    pub stop: CancellationToken,
}

enum End {
    Stopped,
    Lost { cause: String, stood: bool },
}

/// What is in flight on one connection, and what was sent before on any.
#[derive(Debug, Default)]
struct Window {
    in_flight: HashMap<u64, Instant>,
    /// Something was appended since the last look into the outbox.
    fresh: bool,
    sent_before: HashSet<u64>,
    acknowledged: bool,
    /// When an office last said that it begins to listen.
    office_came: Option<Instant>,
}

impl Publisher {
    /// The fixed part of a publisher, by the configuration.
    pub fn address(config: &Config) -> (SiteId, DeviceId, (String, u16)) {
        let broker = (config.broker.host.clone(), config.broker.port);
        (config.device.site.clone(), config.device.id.clone(), broker)
    }

    /// Publishes until told to stop; a lost link is made again after a jittered wait.
    pub async fn run(&mut self) -> Result<(), OutboxError> {
        let mut backoff = Backoff::default();
        let mut sent_before = HashSet::new();
        loop {
            let (cause, stood) = match self.run_once(&mut sent_before).await? {
                End::Stopped => return Ok(()),
                End::Lost { cause, stood } => (cause, stood),
            };
            if stood {
                backoff.reset();
            }
            let wait = backoff.next(&mut rand::rng());
            let (host, port) = &self.broker;
            tracing::warn!(
                host,
                port,
                cause,
                wait_ms = wait.as_millis() as u64,
                "no link to the broker; what is decided waits in the outbox"
            );
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn run_once(&mut self, sent_before: &mut HashSet<u64>) -> Result<End, OutboxError> {
        let mut link = Link::open(&self.link_settings());
        let mut window = Window {
            in_flight: HashMap::new(),
            fresh: true,
            sent_before: std::mem::take(sent_before),
            acknowledged: false,
            office_came: None,
        };
        let mut connected = false;
        let mut since = Instant::now();
        let mut health = tokio::time::interval(self.health_every);
        let mut resend = tokio::time::interval(RESEND_EVERY);
        let outbox = self.outbox.clone();
        let views = self.views.clone();
        let end = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    if connected && self.publish_state(&link, DeviceStatus::Stopped).is_ok() {
                        let _ = tokio::time::timeout(Duration::from_secs(3), link.close()).await;
                    }
                    break End::Stopped;
                }
                event = link.next() => match event {
                    LinkEvent::Connected => {
                        connected = true;
                        since = Instant::now();
                        if self.greet(&link).is_err() {
                            break End::Lost { cause: "the link took no first message".into(), stood: false };
                        }
                        tracing::info!(host = self.broker.0, port = self.broker.1, "connected to the broker");
                    }
                    LinkEvent::Message { topic, payload } => self.receive(&topic, &payload, &mut window).await?,
                    LinkEvent::Lost(cause) => break End::Lost { cause, stood: window.acknowledged || connected && since.elapsed() >= STOOD },
                },
                _ = self.bundle_version.changed(), if connected => {
                    if self.publish_state(&link, DeviceStatus::Online).is_err() {
                        break End::Lost { cause: "the link is stuck".into(), stood: false };
                    }
                }
                () = outbox.appended(), if connected => window.fresh = true,
                () = views.changed(), if connected => self.publish_views(&link),
                _ = health.tick(), if connected => {
                    let message = (self.health)(outbox.depth().await?, outbox.health().await?);
                    self.publish_json(&link, Channel::Health, Delivery::Fleeting, &message).ok();
                }
                _ = resend.tick(), if connected => window.expire(),
            }
            if connected {
                self.fill(&link, &mut window).await?;
            }
        };
        *sent_before = window.sent_before;
        Ok(end)
    }

    fn link_settings(&self) -> LinkSettings {
        let will = serde_json::to_vec(&self.state(DeviceStatus::Offline)).expect("a state has only plain fields");
        LinkSettings {
            host: self.broker.0.clone(),
            port: self.broker.1,
            tls: self.tls.clone(),
            client_id: format!("vong-edge.{}.{}", self.site, self.device),
            will: (self.topic(Channel::State), will),
        }
    }

    fn topic(&self, channel: Channel) -> Topic {
        Topic::new(&self.site, &self.device, channel)
    }

    fn state(&self, status: DeviceStatus) -> State {
        State {
            status,
            boot: self.boot,
            version: env!("CARGO_PKG_VERSION").into(),
            models: self.models.clone(),
            bundle_version: *self.bundle_version.borrow(),
            at_ms: self.clock.now_ms(),
        }
    }

    fn greet(&self, link: &Link) -> Result<(), LinkBusy> {
        link.subscribe(&self.topic(Channel::Ack))?;
        link.subscribe(&self.topic(Channel::Command))?;
        self.publish_state(link, DeviceStatus::Online)
    }

    fn publish_state(&self, link: &Link, status: DeviceStatus) -> Result<(), LinkBusy> {
        self.publish_json(link, Channel::State, Delivery::Retained, &self.state(status))
    }

    fn publish_json(
        &self,
        link: &Link,
        channel: Channel,
        delivery: Delivery,
        message: &impl serde::Serialize,
    ) -> Result<(), LinkBusy> {
        let payload = serde_json::to_vec(message).expect("wire messages have only plain fields");
        link.publish(&self.topic(channel), delivery, payload, None)
    }

    fn publish_views(&self, link: &Link) {
        for view in self.views.take() {
            let topic = self.topic(Channel::View(view.header.camera.clone()));
            match view.encode() {
                // A view that finds no room is dropped: the next one is newer.
                Ok(message) => drop(link.publish(&topic, Delivery::Fleeting, message, None)),
                Err(cause) => tracing::warn!(%cause, "a view could not be coded"),
            }
        }
    }

    /// Hands over messages until the window is full or the link takes no more.
    async fn fill(&self, link: &Link, window: &mut Window) -> Result<(), OutboxError> {
        let room = WINDOW.saturating_sub(window.in_flight.len());
        let alerts_only = room == 0;
        let room = match room {
            0 => (WINDOW + ALERTS_BEYOND).saturating_sub(window.in_flight.len()),
            some => some,
        };
        if room == 0 || (!window.fresh && (alerts_only || room < REFILL)) {
            return Ok(());
        }
        let in_flight: HashSet<u64> = window.in_flight.keys().copied().collect();
        let due = match alerts_only {
            true => self.outbox.due_alerts(&in_flight, room).await?,
            false => self.outbox.due(&in_flight, room).await?,
        };
        window.fresh = false;
        for pending in due {
            let seq = pending.seq;
            let again = window.sent_before.contains(&seq);
            if self.publish_pending(link, pending, again).is_err() {
                window.fresh = true;
                break;
            }
            window.in_flight.insert(seq, Instant::now());
            window.sent_before.insert(seq);
        }
        Ok(())
    }

    fn publish_pending(&self, link: &Link, pending: Pending, again: bool) -> Result<(), LinkBusy> {
        let sent_ms = self.clock.now_ms();
        // What was decided in this start before the clock was known is told with the right time.
        let mended = |boot: BootId, at_ms: UnixMs| {
            if boot == self.boot {
                self.clock.mend(at_ms)
            } else {
                at_ms
            }
        };
        let late =
            |boot: BootId, camera_time_ms: UnixMs| again || boot != self.boot || sent_ms - camera_time_ms > LATE_MS;
        match pending.draft {
            Draft::Event(mut event) => {
                event.camera_time_ms = mended(event.boot, event.camera_time_ms);
                (event.sent_ms, event.replayed) = (sent_ms, late(event.boot, event.camera_time_ms));
                self.publish_json(link, Channel::Event, Delivery::Sure, &event)
            }
            Draft::Alert(mut alert) => {
                alert.camera_time_ms = mended(alert.boot, alert.camera_time_ms);
                (alert.sent_ms, alert.replayed) = (sent_ms, late(alert.boot, alert.camera_time_ms));
                self.publish_json(link, Channel::Alert, Delivery::Sure, &alert)
            }
            Draft::Count(mut count) => {
                if count.boot == self.boot {
                    count.minute_ms = self.clock.mend_minute(count.minute_ms);
                }
                count.sent_ms = sent_ms;
                self.publish_json(link, Channel::Count, Delivery::Sure, &count)
            }
            Draft::Evidence { alert, jpeg } => link.publish(
                &self.topic(Channel::Evidence(alert)),
                Delivery::Sure,
                jpeg,
                Some(pending.seq),
            ),
        }
    }

    async fn receive(&self, topic: &str, payload: &[u8], window: &mut Window) -> Result<(), OutboxError> {
        let channel = Topic::parse(topic).map(|topic| topic.channel);
        match channel {
            Ok(Channel::Ack) => match serde_json::from_slice::<Ack>(payload) {
                Ok(ack) if ack.items.is_empty() => window.office_came = Some(Instant::now()),
                Ok(ack) => {
                    self.outbox.acknowledge(&ack.items).await?;
                    window.acknowledged = true;
                    for item in &ack.items {
                        window.in_flight.remove(&item.seq);
                        window.sent_before.remove(&item.seq);
                    }
                }
                Err(cause) => {
                    tracing::warn!(%cause, bytes = payload.len(), "an acknowledgement cannot be read; it is ignored")
                }
            },
            Ok(Channel::Command) => match serde_json::from_slice::<Command>(payload) {
                Ok(Command {
                    id,
                    body: CommandBody::Watchlists(bundle),
                }) => {
                    tracing::info!(command = %id, version = bundle.version, "watchlists came");
                    self.bundles.put(bundle);
                }
                Err(cause) => tracing::warn!(%cause, bytes = payload.len(), "a command cannot be read; it is ignored"),
            },
            _ => tracing::warn!(
                bytes = payload.len(),
                "a message on a topic that was not asked for is ignored"
            ),
        }
        Ok(())
    }
}

impl Window {
    /// Frees what central did not acknowledge in time, or what was sent before an office began to listen, so that it is sent
    /// again.
    fn expire(&mut self) {
        let before = self.in_flight.len();
        let office_came = self.office_came.take();
        let heard = |sent: &Instant| office_came.is_none_or(|came| *sent > came);
        self.in_flight
            .retain(|_, sent| sent.elapsed() < RESEND_AFTER && heard(sent));
        self.fresh |= self.in_flight.len() < before;
    }
}
