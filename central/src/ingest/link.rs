//! One connection to the broker. Invariant: a link lives from one connection to its loss and is then thrown away; what
//! it had not acknowledged is still in the outboxes. A message of QoS 1 is acknowledged only through its [`Receipt`],
//! and in the order in which it came: `rumqttd` drops a client that acknowledges out of order.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vong_tls::TlsFiles;
use vong_wire::topic::FROM_DEVICES;
use vong_wire::{MAX_PACKET_BYTES, Topic};

/// Messages that wait for the store beyond those that the broker may send; never full with a broker that honours what it
/// is told, and one that does not is made to wait.
const QUEUE_BEYOND: usize = 56;
/// Pictures and health that wait; the newest is dropped where there is no room, for the next one is newer still.
const FLEETING_QUEUE: usize = 64;
const REQUESTS: usize = 2_048;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Where the files for TLS are named.
const TLS_SECTION: &str = "[broker.outside.tls]";

/// Which messages a link takes. Offices with a broker outside hold two links: after an outage what is stored in the outboxes
/// stands in a long queue at the broker, and an alarm must not stand behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Everything.
    All,
    /// Alerts and their pictures, states, health and views.
    Urgent,
    /// Events and counts.
    Bulk,
}

impl Lane {
    fn takes(self, filter: &str) -> bool {
        let bulk = filter.ends_with("/event") || filter.ends_with("/count");
        match self {
            Self::All => true,
            Self::Urgent => !bulk,
            Self::Bulk => bulk,
        }
    }
}

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub(super) struct LinkSettings {
    pub(super) host: String,
    pub(super) port: u16,
    /// Files for TLS; without them the link is open.
    pub(super) tls: Option<TlsFiles>,
    pub(super) client: String,
    /// User and password.
    pub(super) login: Option<(String, String)>,
    /// The group that shares what must not be lost; none: all of it comes here.
    pub(super) share: Option<String>,
    /// Unacknowledged messages that the broker may send.
    pub(super) most_at_once: u16,
    /// What it takes.
    pub(super) lane: Lane,
}

/// A message of QoS 1 that the broker holds until it is acknowledged.
#[derive(Debug)]
pub(super) struct Receipt(Publish);

/// What a link tells.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// The broker accepted the connection and the subscriptions are asked for.
    Connected,
    /// A message that must not be lost.
    Sure(Box<(Message, Receipt)>),
    /// The link is gone, with the cause in words.
    Lost(String),
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: bytes::Bytes,
    /// The user property `seq`.
    pub(super) seq: Option<u64>,
}

/// The link is gone.
#[derive(Debug, thiserror::Error)]
#[error("the link to the broker is gone")]
pub(super) struct Gone;

/// A connection being made or alive.
#[derive(Debug)]
pub(super) struct Link {
    client: AsyncClient,
    driver: JoinHandle<()>,
}

/// What a link tells, in order.
#[derive(Debug)]
pub(super) struct Events(mpsc::Receiver<LinkEvent>);

impl Events {
    /// Waits for what happened; takes up to `most` things that have happened by then.
    pub(super) async fn next(&mut self, most: usize) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        if self.0.recv_many(&mut events, most).await == 0 {
            events.push(LinkEvent::Lost("the connection was ended".into()));
        }
        events
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Starts connecting. Messages that may be lost come by the third value.
    pub(super) fn open(settings: &LinkSettings) -> (Self, Events, mpsc::Receiver<Message>) {
        let mut options = MqttOptions::new(&settings.client, &settings.host, settings.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(true);
        options.set_connection_timeout(10);
        options.set_manual_acks(true);
        // rumqttc takes packets up to 10 KiB unless told otherwise.
        let mut properties = ConnectProperties::new();
        properties.max_packet_size = Some(MAX_PACKET_BYTES);
        properties.receive_maximum = Some(settings.most_at_once);
        options.set_connect_properties(properties);
        if let Some((user, password)) = &settings.login {
            options.set_credentials(user, password);
        }
        let mut refused = None;
        match vong_tls::client(settings.tls.as_ref(), TLS_SECTION) {
            Ok(None) => {}
            Ok(Some(tls)) => {
                options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
            }
            Err(cause) => refused = Some(cause.to_string()),
        }
        let (client, event_loop) = AsyncClient::new(options, REQUESTS);
        let (sender, events) = mpsc::channel(usize::from(settings.most_at_once) + QUEUE_BEYOND);
        let (fleeting_sender, fleeting) = mpsc::channel(FLEETING_QUEUE);
        let driver = match refused {
            Some(cause) => tokio::spawn(async move { drop(sender.send(LinkEvent::Lost(cause)).await) }),
            None => tokio::spawn(drive(
                event_loop,
                client.clone(),
                subscriptions(settings.share.as_deref(), settings.lane),
                sender,
                fleeting_sender,
            )),
        };
        (Self { client, driver }, Events(events), fleeting)
    }

    /// Hands a message over for a device.
    pub(super) async fn publish(&self, topic: &Topic, payload: impl Into<bytes::Bytes>) -> Result<(), Gone> {
        let sent = self
            .client
            .publish_bytes(topic.to_string(), QoS::AtLeastOnce, false, payload.into());
        sent.await.map_err(|_| Gone)
    }

    /// Lets the broker forget a message.
    pub(super) async fn acknowledge(&self, receipt: &Receipt) -> Result<(), Gone> {
        self.client.ack(&receipt.0).await.map_err(|_| Gone)
    }

    /// Says goodbye.
    pub(super) async fn close(self, mut events: Events) {
        if self.client.disconnect().await.is_ok() {
            while !events
                .next(1)
                .await
                .iter()
                .any(|event| matches!(event, LinkEvent::Lost(_)))
            {}
        }
    }
}

/// Pictures and health are asked for with QoS 0: `rumqttd` sends with the QoS of the subscription, whatever that of the
/// message was, and they would take the place of what must not be lost. Each office needs them all for its own page, and the
/// states too, for whom to send watchlists; the rest is shared within a group, and told among its members by the store.
fn subscriptions(share: Option<&str>, lane: Lane) -> Vec<Filter> {
    let fleeting = |filter: &str| filter.ends_with("/health") || filter.contains("/view/");
    let filter = |filter: &'static str| match (share, fleeting(filter)) {
        (_, true) => Filter::new(filter, QoS::AtMostOnce),
        (Some(group), false) if !filter.ends_with("/state") => {
            Filter::new(format!("$share/{group}/{filter}"), QoS::AtLeastOnce)
        }
        (_, false) => Filter::new(filter, QoS::AtLeastOnce),
    };
    FROM_DEVICES
        .into_iter()
        .filter(|filter| lane.takes(filter))
        .map(filter)
        .collect()
}

/// Owns the event loop: nothing else polls it, and no poll is ever cancelled half way.
async fn drive(
    mut event_loop: EventLoop,
    client: AsyncClient,
    subscriptions: Vec<Filter>,
    events: mpsc::Sender<LinkEvent>,
    fleeting: mpsc::Sender<Message>,
) {
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => match client.try_subscribe_many(subscriptions.clone()) {
                Ok(()) => LinkEvent::Connected,
                Err(cause) => LinkEvent::Lost(cause.to_string()),
            },
            Ok(Event::Incoming(Packet::Publish(publish))) if publish.qos == QoS::AtMostOnce => {
                // Where there is no room it is dropped: the next picture is newer.
                let _ = fleeting.try_send(message(&publish));
                continue;
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let message = message(&publish);
                let receipt = Receipt(Publish {
                    payload: bytes::Bytes::new(),
                    ..publish
                });
                LinkEvent::Sure(Box::new((message, receipt)))
            }
            Ok(Event::Outgoing(rumqttc::Outgoing::Disconnect)) => LinkEvent::Lost("closed".into()),
            Ok(_) => continue,
            Err(cause) => LinkEvent::Lost(in_words(&cause)),
        };
        let lost = matches!(event, LinkEvent::Lost(_));
        if events.send(event).await.is_err() || lost {
            return;
        }
    }
}

fn message(publish: &Publish) -> Message {
    let properties = publish
        .properties
        .iter()
        .flat_map(|properties| properties.user_properties.iter());
    let seq = properties
        .filter(|(name, _)| name == "seq")
        .find_map(|(_, value)| value.parse().ok());
    Message {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        payload: publish.payload.clone(),
        seq,
    }
}

fn in_words(cause: &ConnectionError) -> String {
    if let Some(told) = vong_tls::distrust(cause, TLS_SECTION) {
        return told;
    }
    match cause {
        ConnectionError::Io(cause) => cause.to_string(),
        ConnectionError::Timeout(_) => "no answer in time".into(),
        ConnectionError::ConnectionRefused(code) => format!("the broker refused the connection ({code:?})"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_page_needs_is_not_shared() {
        let of = |share, lane| -> Vec<(String, QoS)> {
            let filters = subscriptions(share, lane).into_iter();
            filters.map(|filter| (filter.path, filter.qos)).collect()
        };
        let alone = of(None, Lane::All);
        assert!(alone.iter().all(|(path, _)| path.starts_with("vong/v1/")), "{alone:?}");
        let shared = of(Some("vong"), Lane::All);
        for (path, qos) in &shared {
            let all_need_it = ["/state", "/health", "/view/+"].iter().any(|end| path.ends_with(end));
            assert_eq!(path.starts_with("$share/vong/vong/v1/+/+/"), !all_need_it, "{path}");
            let may_be_lost = path.ends_with("/health") || path.ends_with("/view/+");
            assert_eq!(*qos == QoS::AtMostOnce, may_be_lost, "{path}");
        }
        assert_eq!(shared.len(), FROM_DEVICES.len());
        // The two lanes together take everything, each once.
        let mut lanes = of(Some("vong"), Lane::Urgent);
        assert!(lanes.iter().any(|(path, _)| path.ends_with("/alert")));
        lanes.extend(of(Some("vong"), Lane::Bulk));
        let sorted = |mut filters: Vec<(String, QoS)>| {
            filters.sort_by(|a, b| a.0.cmp(&b.0));
            filters
        };
        assert_eq!(sorted(lanes), sorted(shared));
    }
}
