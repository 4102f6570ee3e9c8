//! From bytes to records. Invariant: what leaves here is sane, so that the store and the page need not doubt it; what is
//! not goes to quarantine with its reason, and is acknowledged all the same where its number can be read, for it is kept.

use crate::domain::Directory;
use crate::service::EvidenceFolder;
use crate::store::{EvidenceRow, Origin, QuarantineRow, Record};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use vong_wire::{
    AckItem, Alert, AlertCause, Channel, Count, Event, EventBody, EventId, Health, PLAUSIBLE_MS, PlateSeen, State,
    Topic, UnixMs, View, mended_minute,
};

/// Longest JSON of a message; an event has some 500 bytes.
const MOST_JSON_BYTES: usize = 64 * 1024;
/// Longest picture of a camera.
const MOST_VIEW_BYTES: usize = 4 * 1024 * 1024;
/// What is kept of a message in quarantine.
const HEAD_BYTES: usize = 16 * 1024;
/// 2200-01-01: beyond it a time is nonsense that would spoil every order by time.
const LATEST_MS: UnixMs = 7_258_118_400_000;
/// Largest total that every reader of JSON holds exactly.
const MOST_TOTAL: u64 = 1 << 53;
/// Devices that announced themselves; more would be a flood.
const MOST_UNKNOWN: usize = 1_000;

/// A message that must not be lost, understood or not.
#[derive(Debug)]
pub(super) struct Taken {
    /// What to keep.
    pub(super) record: Record,
    /// A picture to write before the record.
    pub(super) picture: Option<bytes::Bytes>,
    /// What to tell the device once it is kept.
    pub(super) ack: Option<(Origin, AckItem)>,
}

/// A message that may be lost.
#[derive(Debug)]
pub(super) enum Fleeting {
    /// The latest picture of a camera.
    View(Origin, View),
    /// The latest health of a device.
    Health(Origin, Health),
}

/// What decoding looks at.
pub(super) struct Context<'c> {
    pub(super) directory: &'c Directory,
    pub(super) received_ms: UnixMs,
    /// A replayed alert that is older raises no alarm.
    pub(super) alarm_limit_ms: UnixMs,
}

type Fault = String;

/// Understands a message of QoS 1.
pub(super) fn take(topic: &str, payload: &bytes::Bytes, seq: Option<u64>, context: &Context<'_>) -> Taken {
    match understand(topic, payload, seq, context) {
        Ok(taken) => taken,
        Err((reason, ack)) => Taken {
            record: Record::Quarantine(QuarantineRow {
                received_ms: context.received_ms,
                topic: topic.chars().take(200).collect(),
                reason: reason.chars().take(500).collect(),
                head: payload[..payload.len().min(HEAD_BYTES)].to_vec(),
                bytes: payload.len() as u64,
            }),
            picture: None,
            ack,
        },
    }
}

/// Understands a message of QoS 0.
pub(super) fn glance(topic: &str, payload: &[u8], context: &Context<'_>) -> Result<Fleeting, Fault> {
    let (origin, channel) = address(topic, context)?;
    match channel {
        Channel::View(camera) => {
            if payload.len() > MOST_VIEW_BYTES {
                return Err(format!(
                    "picture of {} bytes is larger than {MOST_VIEW_BYTES}",
                    payload.len()
                ));
            }
            let view = View::decode(payload).map_err(|cause| cause.to_string())?;
            if view.header.camera != camera {
                return Err(format!(
                    "picture of camera `{}` on the topic of another",
                    view.header.camera
                ));
            }
            if !view.jpeg.starts_with(&[0xff, 0xd8, 0xff]) {
                return Err("no JPEG behind the header".into());
            }
            time("at_ms", view.header.at_ms)?;
            Ok(Fleeting::View(origin, view))
        }
        Channel::Health => {
            let health: Health = json(payload)?;
            time("at_ms", health.at_ms)?;
            Ok(Fleeting::Health(origin, health))
        }
        _ => Err("nothing that may be lost is sent on this topic".into()),
    }
}

fn address(topic: &str, context: &Context<'_>) -> Result<(Origin, Channel), Fault> {
    let topic = Topic::parse(topic).map_err(|cause| cause.to_string())?;
    let directory = context.directory;
    if directory.device(&topic.site, &topic.device).is_none() {
        let devices = directory.sites.iter().flat_map(|site| site.devices.iter());
        if devices.filter(|device| !device.known).count() >= MOST_UNKNOWN {
            return Err(format!(
                "{MOST_UNKNOWN} devices that nobody entered have announced themselves already"
            ));
        }
    }
    let origin = Origin {
        site: topic.site,
        device: topic.device,
        received_ms: context.received_ms,
    };
    Ok((origin, topic.channel))
}

fn understand(
    topic: &str,
    payload: &bytes::Bytes,
    seq: Option<u64>,
    context: &Context<'_>,
) -> Result<Taken, (Fault, Option<(Origin, AckItem)>)> {
    let (origin, channel) = address(topic, context).map_err(|fault| (fault, None))?;
    let acknowledge = |item: Option<AckItem>| item.map(|item| (origin.clone(), item));
    // Of a message that cannot be read as a whole, the number may still be legible.
    let legible = || acknowledge(serde_json::from_slice::<Numbered>(payload).ok().map(Numbered::item));
    let kept = |record: Record, item: AckItem| Taken {
        record,
        picture: None,
        ack: acknowledge(Some(item)),
    };
    match channel {
        Channel::Event => {
            let mended = |mut event: Event| {
                mend_times(&mut event.camera_time_ms, &mut event.sent_ms, context.received_ms);
                sane_event(event)
            };
            let event: Event = json(payload).and_then(mended).map_err(|fault| (fault, legible()))?;
            let item = AckItem {
                seq: event.seq,
                id: Some(event.id),
            };
            Ok(kept(Record::Event(origin.clone(), event), item))
        }
        Channel::Alert => {
            let mended = |mut alert: Alert| {
                mend_times(&mut alert.camera_time_ms, &mut alert.sent_ms, context.received_ms);
                sane_alert(alert)
            };
            let alert: Alert = json(payload).and_then(mended).map_err(|fault| (fault, legible()))?;
            let item = AckItem {
                seq: alert.seq,
                id: Some(alert.id),
            };
            let age_ms = context.received_ms - alert.camera_time_ms;
            let live = !(alert.replayed && age_ms > context.alarm_limit_ms);
            Ok(kept(Record::Alert(origin.clone(), alert, live), item))
        }
        Channel::Count => {
            let mended = |mut count: Count| {
                mend_minute(&mut count, context.received_ms);
                sane_count(count)
            };
            let count: Count = json(payload).and_then(mended).map_err(|fault| (fault, legible()))?;
            let item = AckItem {
                seq: count.seq,
                id: None,
            };
            Ok(kept(Record::Count(origin.clone(), count), item))
        }
        Channel::State => {
            let state: State = json(payload).and_then(sane_state).map_err(|fault| (fault, None))?;
            Ok(Taken {
                record: Record::State(origin, state),
                picture: None,
                ack: None,
            })
        }
        Channel::Evidence(alert) => {
            let item = seq.map(|seq| AckItem { seq, id: Some(alert) });
            EvidenceFolder::check(payload).map_err(|fault| (fault.to_string(), acknowledge(item)))?;
            let evidence = EvidenceRow {
                alert,
                file: EvidenceFolder::file_of(alert),
                bytes: payload.len() as u64,
            };
            Ok(Taken {
                ack: acknowledge(item),
                record: Record::Evidence(origin, evidence),
                picture: Some(payload.clone()),
            })
        }
        _ => Err((
            "nothing that must not be lost is sent on this topic by a device".into(),
            None,
        )),
    }
}

/// The number of a message, whatever else is wrong with it.
#[derive(Deserialize)]
struct Numbered {
    seq: u64,
    #[serde(default)]
    id: Option<EventId>,
}

impl Numbered {
    fn item(self) -> AckItem {
        AckItem {
            seq: self.seq,
            id: self.id,
        }
    }
}

fn json<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Fault> {
    if payload.len() > MOST_JSON_BYTES {
        return Err(format!(
            "message of {} bytes is larger than {MOST_JSON_BYTES}",
            payload.len()
        ));
    }
    serde_json::from_slice(payload).map_err(|cause| cause.to_string())
}

fn time(field: &str, at_ms: UnixMs) -> Result<(), Fault> {
    match (0..LATEST_MS).contains(&at_ms) {
        true => Ok(()),
        false => Err(format!("{field} is {at_ms}, not between the years 1970 and 2200")),
    }
}

fn text(field: &str, text: &str, most: usize) -> Result<(), Fault> {
    match text.chars().count() <= most {
        true => Ok(()),
        false => Err(format!("{field} is longer than {most} characters")),
    }
}

fn within(field: &str, value: f32, low: f32, high: f32) -> Result<(), Fault> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(format!("{field} is {value}, not between {low} and {high}")),
    }
}

fn plate_text(field: &str, plate: &str) -> Result<(), Fault> {
    text(field, plate, 16)?;
    match plate.is_empty() {
        true => Err(format!("{field} is empty")),
        false => Ok(()),
    }
}

/// A cosine of 32-bit vectors can exceed 1 by rounding.
fn cosine(field: &str, value: f32) -> Result<(), Fault> {
    within(field, value, -1.001, 1.001)
}

/// A device that does not know what time it is still knows how long ago it was: what it sends is told by this office's clock.
/// Its order among others of its start is that of its number anyway.
fn mend_times(camera_time_ms: &mut UnixMs, sent_ms: &mut UnixMs, received_ms: UnixMs) {
    if *sent_ms < PLAUSIBLE_MS && *camera_time_ms <= *sent_ms {
        *camera_time_ms = received_ms.saturating_sub(sent_ms.saturating_sub(*camera_time_ms));
        *sent_ms = received_ms;
    }
}

/// The same for a count. Its epoch is left as it is: nothing is told by it, the totals only stand and fall with it.
fn mend_minute(count: &mut Count, received_ms: UnixMs) {
    let told_ms = count.minute_ms;
    mend_times(&mut count.minute_ms, &mut count.sent_ms, received_ms);
    if count.minute_ms != told_ms {
        count.minute_ms = mended_minute(count.minute_ms);
    }
}

fn sane_event(event: Event) -> Result<Event, Fault> {
    time("camera_time_ms", event.camera_time_ms)?;
    time("sent_ms", event.sent_ms)?;
    match &event.body {
        EventBody::Crossing(_) => {}
        EventBody::Recognition(seen) => {
            cosine("similarity", seen.similarity)?;
            cosine("threshold", seen.threshold)?;
        }
        EventBody::Plate(PlateSeen {
            plate,
            raw,
            class,
            confidence,
            ..
        }) => {
            plate_text("plate", plate)?;
            text("raw", raw, 64)?;
            text("class", class, 32)?;
            within("confidence", *confidence, 0.0, 1.0)?;
        }
    }
    Ok(event)
}

fn sane_alert(alert: Alert) -> Result<Alert, Fault> {
    time("camera_time_ms", alert.camera_time_ms)?;
    time("sent_ms", alert.sent_ms)?;
    match &alert.cause {
        AlertCause::Face {
            similarity, threshold, ..
        } => {
            cosine("similarity", *similarity)?;
            cosine("threshold", *threshold)?;
        }
        AlertCause::Plate { plate, .. } => plate_text("plate", plate)?,
    }
    Ok(alert)
}

fn sane_count(count: Count) -> Result<Count, Fault> {
    time("minute_ms", count.minute_ms)?;
    // It may be older than time: a box without a battery may begin before 1970.
    if count.epoch_ms.abs() >= LATEST_MS {
        return Err(format!("epoch_ms is {}, out of all time", count.epoch_ms));
    }
    within("coverage", count.coverage, 0.0, 1.0)?;
    for (field, deviation) in [("in_sd", count.in_sd), ("out_sd", count.out_sd)] {
        within(field, deviation.unwrap_or(0.0), 0.0, 1e6)?;
    }
    if count.total_in > MOST_TOTAL || count.total_out > MOST_TOTAL {
        return Err("a total is larger than 2^53".into());
    }
    Ok(count)
}

fn sane_state(state: State) -> Result<State, Fault> {
    text("version", &state.version, 64)?;
    if state.models.len() > 32 {
        return Err("more than 32 models".into());
    }
    for (job, model) in &state.models {
        text("a model's job", job, 64)?;
        text("a model's id", model, 64)?;
    }
    if state.bundle_version > MOST_TOTAL {
        return Err("bundle_version is larger than 2^53".into());
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_device_that_does_not_know_them_are_told_by_the_offices_clock() {
        const NOW_MS: UnixMs = PLAUSIBLE_MS + 1_000_000;
        let check = |camera_time_ms, sent_ms, expected| {
            let (mut camera_time, mut sent) = (camera_time_ms, sent_ms);
            mend_times(&mut camera_time, &mut sent, NOW_MS);
            assert_eq!((camera_time, sent), expected, "{camera_time_ms} {sent_ms}");
        };
        // It started in 1970, or before, and saw something four seconds before it sent it.
        check(5_000, 9_000, (NOW_MS - 4_000, NOW_MS));
        check(-90_000, -86_000, (NOW_MS - 4_000, NOW_MS));
        // A known clock is believed, also where it differs from ours; one that was set in between cannot be mended.
        check(NOW_MS - 70_000, NOW_MS - 60_000, (NOW_MS - 70_000, NOW_MS - 60_000));
        check(9_000, NOW_MS, (9_000, NOW_MS));
        check(NOW_MS, 9_000, (NOW_MS, 9_000));
    }

    #[test]
    fn minutes_of_a_device_that_does_not_know_them_are_told_by_the_offices_clock() {
        const NOW_MS: UnixMs = PLAUSIBLE_MS + 1_000_000;
        let taken = |minute_ms: UnixMs, sent_ms: UnixMs, received_ms: UnixMs| {
            let count = serde_json::json!({
                "seq": 1, "boot": uuid::Uuid::nil(), "camera": "gate", "line": "main", "minute_ms": minute_ms, "in": 2,
                "out": 0, "epoch_ms": 60_000, "total_in": 2, "total_out": 0, "coverage": 1.0, "sent_ms": sent_ms,
            });
            let context = Context {
                directory: &Directory::default(),
                received_ms,
                alarm_limit_ms: 0,
            };
            let payload = bytes::Bytes::from(count.to_string());
            match take("vong/v1/park/edge-1/count", &payload, None, &context).record {
                Record::Count(_, count) => count,
                other => panic!("{other:?}"),
            }
        };
        // Told 70 s after it began, by a box that thinks it is 1970: in the whole minute before the one in which it began.
        let first = taken(120_000, 190_000, NOW_MS);
        assert_eq!(
            (first.minute_ms, first.sent_ms),
            (mended_minute(NOW_MS - 70_000), NOW_MS)
        );
        assert_eq!(first.minute_ms % 60_000, 0);
        let began_before = NOW_MS - 70_000 - first.minute_ms;
        assert!((60_000..120_000).contains(&began_before), "{began_before}");
        assert_eq!(first.epoch_ms, 60_000, "by it the totals are told apart");
        // The next one is the next minute, whenever it comes; a known clock is believed.
        for (sent_ms, received_ms) in [(190_000, NOW_MS), (250_000, NOW_MS + 60_000)] {
            assert_eq!(taken(180_000, sent_ms, received_ms).minute_ms, first.minute_ms + 60_000);
        }
        let known = NOW_MS - NOW_MS % 60_000 - 120_000;
        assert_eq!(taken(known, NOW_MS, NOW_MS).minute_ms, known);
    }
}
