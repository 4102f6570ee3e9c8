//! One connection to the broker. Invariant: a link lives from one connection to its loss and is then thrown away with
//! everything rumqttc 0.25 remembers of it: a client that resumes after the broker lost its session can wait for ever
//! for acknowledgements that will not come. What must survive is in the outbox. Only this module names `rumqttc`.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, LastWill, Packet, PublishProperties};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use vong_tls::TlsFiles;
use vong_wire::{MAX_PACKET_BYTES, Topic};

/// Requests that wait for the socket; larger than the outbox's window, so that the window is what limits.
const REQUESTS: usize = 512;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Where the files for TLS are named.
const TLS_SECTION: &str = "[broker.tls]";

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkSettings {
    /// Host of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Unique within the broker.
    pub client_id: String,
    /// Files for TLS; without them the link is open.
    pub tls: Option<TlsFiles>,
    /// Topic and retained payload that the broker publishes if the link breaks.
    pub will: (Topic, Vec<u8>),
}

/// What a link tells.
#[derive(Debug)]
pub enum LinkEvent {
    /// The broker accepted the connection.
    Connected,
    /// A message came.
    Message {
        /// Its topic, unparsed.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// The link is gone, with the cause in words.
    Lost(String),
}

/// How surely a message must arrive at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At least once.
    Sure,
    /// At least once, and kept for whoever subscribes later.
    Retained,
    /// Perhaps not at all: the next one is newer.
    Fleeting,
}

/// The link has no room at present or is gone.
#[derive(Debug, thiserror::Error)]
#[error("the link to the broker takes no more messages at present")]
pub struct LinkBusy;

/// A connection being made or alive.
#[derive(Debug)]
pub struct Link {
    client: AsyncClient,
    events: mpsc::Receiver<LinkEvent>,
    driver: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Starts connecting; the result comes as [`LinkEvent::Connected`] or [`LinkEvent::Lost`].
    pub fn open(settings: &LinkSettings) -> Self {
        let mut options = MqttOptions::new(&settings.client_id, &settings.host, settings.port);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_clean_start(true);
        options.set_connection_timeout(10);
        let mut properties = ConnectProperties::new();
        properties.max_packet_size = Some(MAX_PACKET_BYTES);
        options.set_connect_properties(properties);
        let (topic, payload) = &settings.will;
        options.set_last_will(LastWill::new(
            topic.to_string(),
            payload.clone(),
            QoS::AtLeastOnce,
            true,
            None,
        ));
        let (sender, events) = mpsc::channel(64);
        let mut refused = None;
        match vong_tls::client(settings.tls.as_ref(), TLS_SECTION) {
            Ok(None) => {}
            Ok(Some(tls)) => {
                options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
            }
            Err(cause) => refused = Some(cause.to_string()),
        }
        let (client, event_loop) = AsyncClient::new(options, REQUESTS);
        let driver = match refused {
            None => tokio::spawn(drive(event_loop, sender)),
            Some(cause) => tokio::spawn(async move { drop(sender.send(LinkEvent::Lost(cause)).await) }),
        };
        Self { client, events, driver }
    }

    /// The next thing that happened. After [`LinkEvent::Lost`] the link is of no more use.
    pub async fn next(&mut self) -> LinkEvent {
        self.events
            .recv()
            .await
            .unwrap_or_else(|| LinkEvent::Lost("the connection was ended".into()))
    }

    /// Asks for a topic.
    pub fn subscribe(&self, topic: &Topic) -> Result<(), LinkBusy> {
        self.client
            .try_subscribe(topic.to_string(), QoS::AtLeastOnce)
            .map_err(|_| LinkBusy)
    }

    /// Hands a message over; `seq` travels as a user property where the payload has no room for it.
    pub fn publish(
        &self,
        topic: &Topic,
        delivery: Delivery,
        payload: Vec<u8>,
        seq: Option<u64>,
    ) -> Result<(), LinkBusy> {
        let (qos, retain) = match delivery {
            Delivery::Sure => (QoS::AtLeastOnce, false),
            Delivery::Retained => (QoS::AtLeastOnce, true),
            Delivery::Fleeting => (QoS::AtMostOnce, false),
        };
        let sent = match seq {
            None => self.client.try_publish(topic.to_string(), qos, retain, payload),
            Some(seq) => {
                let user_properties = vec![("seq".to_string(), seq.to_string())];
                let properties = PublishProperties {
                    user_properties,
                    ..PublishProperties::default()
                };
                self.client
                    .try_publish_with_properties(topic.to_string(), qos, retain, payload, properties)
            }
        };
        sent.map_err(|_| LinkBusy)
    }

    /// Says goodbye, so that the broker does not publish the last will, and waits until that is sent.
    pub async fn close(mut self) {
        if self.client.try_disconnect().is_ok() {
            while !matches!(self.next().await, LinkEvent::Lost(_)) {}
        }
    }
}

/// Owns the event loop: nothing else polls it, and no poll is ever cancelled half way.
async fn drive(mut event_loop: EventLoop, events: mpsc::Sender<LinkEvent>) {
    loop {
        let event = match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => LinkEvent::Connected,
            Ok(Event::Incoming(Packet::Publish(publish))) => LinkEvent::Message {
                topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                payload: publish.payload.to_vec(),
            },
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
