//! Topics: `vong/v1/{site}/{device}/{channel}`. Invariant: every topic written here is read back as the same topic.

use crate::{CameraId, DeviceId, EventId, SiteId};
use std::fmt;

const ROOT: &str = "vong/v1";

/// Filters that central subscribes to. Evidence and views have a level more.
pub const FROM_DEVICES: [&str; 7] = [
    "vong/v1/+/+/state",
    "vong/v1/+/+/event",
    "vong/v1/+/+/alert",
    "vong/v1/+/+/count",
    "vong/v1/+/+/health",
    "vong/v1/+/+/evidence/+",
    "vong/v1/+/+/view/+",
];

/// A topic of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Its site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// What travels.
    pub channel: Channel,
}

/// What travels on a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Retained [`crate::State`], also the last will.
    State,
    /// [`crate::Event`].
    Event,
    /// [`crate::Alert`].
    Alert,
    /// [`crate::Count`].
    Count,
    /// [`crate::Health`], QoS 0.
    Health,
    /// JPEG of an alert; the user property `seq` carries its number in the outbox.
    Evidence(EventId),
    /// [`crate::View`], QoS 0.
    View(CameraId),
    /// [`crate::Ack`], central to edge.
    Ack,
    /// [`crate::Command`], central to edge.
    Command,
}

/// Why a text is not a topic of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("topic `{0}` is not of the form vong/v1/{{site}}/{{device}}/{{channel}}")]
pub struct TopicError(pub String);

impl Topic {
    /// A topic of a device.
    pub fn new(site: &SiteId, device: &DeviceId, channel: Channel) -> Self {
        Self {
            site: site.clone(),
            device: device.clone(),
            channel,
        }
    }

    /// Reads a topic; `None` of it is guessed.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        parse(text).ok_or_else(|| TopicError(text.chars().take(200).collect()))
    }
}

fn parse(text: &str) -> Option<Topic> {
    let mut levels = text.strip_prefix(ROOT)?.strip_prefix('/')?.split('/');
    let site = SiteId::new(levels.next()?).ok()?;
    let device = DeviceId::new(levels.next()?).ok()?;
    let (name, last) = (levels.next()?, levels.next());
    if levels.next().is_some() {
        return None;
    }
    let channel = match (name, last) {
        ("state", None) => Channel::State,
        ("event", None) => Channel::Event,
        ("alert", None) => Channel::Alert,
        ("count", None) => Channel::Count,
        ("health", None) => Channel::Health,
        ("ack", None) => Channel::Ack,
        ("command", None) => Channel::Command,
        ("evidence", Some(event)) => Channel::Evidence(event.parse().ok()?),
        ("view", Some(camera)) => Channel::View(CameraId::new(camera).ok()?),
        _ => return None,
    };
    Some(Topic { site, device, channel })
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ROOT}/{}/{}/", self.site, self.device)?;
        match &self.channel {
            Channel::State => f.write_str("state"),
            Channel::Event => f.write_str("event"),
            Channel::Alert => f.write_str("alert"),
            Channel::Count => f.write_str("count"),
            Channel::Health => f.write_str("health"),
            Channel::Evidence(event) => write!(f, "evidence/{event}"),
            Channel::View(camera) => write!(f, "view/{camera}"),
            Channel::Ack => f.write_str("ack"),
            Channel::Command => f.write_str("command"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_read_back() {
        let (site, device) = (SiteId::new("dong-nai").unwrap(), DeviceId::new("edge-1").unwrap());
        let camera = CameraId::new("gate").unwrap();
        for channel in [
            Channel::State,
            Channel::Event,
            Channel::Alert,
            Channel::Count,
            Channel::Health,
            Channel::Evidence(EventId::generate()),
            Channel::View(camera),
            Channel::Ack,
            Channel::Command,
        ] {
            let topic = Topic::new(&site, &device, channel);
            assert_eq!(Topic::parse(&topic.to_string()).unwrap(), topic);
        }
    }

    #[test]
    fn others_topics_are_refused() {
        for text in [
            "",
            "vong",
            "vong/v1/a/b",
            "vong/v1/a/b/event/c",
            "vong/v2/a/b/event",
            "vong/v1/A/b/event",
            "vong/v1/a/b/evidence/x",
            "vong/v1/a/b/view",
            "vong/v1/a/b/view/c/d",
            "vong/v1//b/event",
        ] {
            assert!(Topic::parse(text).is_err(), "{text:?} was accepted");
        }
    }
}
