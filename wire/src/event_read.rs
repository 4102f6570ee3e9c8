//! Reading an event in one pass. Derived, a flattened body that is told by its `kind` would first be copied whole into a
//! tree of values, which costs more than all the rest of central's decoding. Invariant: what serde would read from the
//! published form, this reads, and as the same value; unknown fields are left alone.

use crate::event::{Crossing, Event, EventBody, ObjectClass, PlateColour, PlateSeen, Recognition};
use crate::{BootId, CameraId, EntryId, EventId, LineId, ListId, UnixMs};
use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, Deserializer, Error};
use std::borrow::Cow;

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Crossing,
    Recognition,
    Plate,
}

/// Every field that an event of any kind has.
#[derive(serde::Deserialize)]
struct Flat<'a> {
    id: EventId,
    seq: u64,
    boot: BootId,
    camera: CameraId,
    camera_time_ms: UnixMs,
    sent_ms: UnixMs,
    #[serde(default)]
    replayed: bool,
    kind: Kind,
    track: Option<u64>,
    line: Option<LineId>,
    direction: Option<crate::event::Direction>,
    // Of a crossing what crossed, of a plate what plate it is.
    #[serde(borrow, default)]
    class: Option<Cow<'a, str>>,
    list: Option<ListId>,
    entry: Option<EntryId>,
    bundle_version: Option<u64>,
    similarity: Option<f32>,
    threshold: Option<f32>,
    shots: Option<u32>,
    plate: Option<String>,
    raw: Option<String>,
    colour: Option<PlateColour>,
    lines: Option<u8>,
    confidence: Option<f32>,
    readings: Option<u32>,
}

fn needed<T, E: Error>(name: &'static str, value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(name))
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flat = Flat::deserialize(deserializer)?;
        let class = || needed("class", flat.class.as_deref());
        let track = needed("track", flat.track)?;
        let body = match flat.kind {
            Kind::Crossing => EventBody::Crossing(Crossing {
                class: ObjectClass::deserialize(StrDeserializer::<D::Error>::new(class()?))?,
                line: needed("line", flat.line)?,
                direction: needed("direction", flat.direction)?,
                track,
            }),
            Kind::Recognition => EventBody::Recognition(Recognition {
                track,
                list: needed("list", flat.list)?,
                entry: needed("entry", flat.entry)?,
                bundle_version: needed("bundle_version", flat.bundle_version)?,
                similarity: needed("similarity", flat.similarity)?,
                threshold: needed("threshold", flat.threshold)?,
                shots: needed("shots", flat.shots)?,
            }),
            Kind::Plate => EventBody::Plate(PlateSeen {
                class: class()?.to_string(),
                track,
                plate: needed("plate", flat.plate)?,
                raw: needed("raw", flat.raw)?,
                colour: needed("colour", flat.colour)?,
                lines: needed("lines", flat.lines)?,
                confidence: needed("confidence", flat.confidence)?,
                readings: needed("readings", flat.readings)?,
            }),
        };
        Ok(Self {
            id: flat.id,
            seq: flat.seq,
            boot: flat.boot,
            camera: flat.camera,
            camera_time_ms: flat.camera_time_ms,
            sent_ms: flat.sent_ms,
            replayed: flat.replayed,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head() -> serde_json::Value {
        serde_json::json!({
            "id": EventId::generate(), "seq": 7, "boot": BootId::generate(), "camera": "gate",
            "camera_time_ms": 5, "sent_ms": 6, "new_field_of_later": {"a": [1]},
        })
    }

    fn bodies() -> [serde_json::Value; 3] {
        [
            serde_json::json!({"kind": "crossing", "line": "main", "direction": "in", "class": "person", "track": 1}),
            serde_json::json!({"kind": "recognition", "track": 1, "list": "l", "entry": "e", "bundle_version": 2,
                "similarity": 0.5, "threshold": 0.25, "shots": 3}),
            serde_json::json!({"kind": "plate", "track": 1, "plate": "60A1", "raw": "a\"b", "class": "car",
                "colour": "white", "lines": 2, "confidence": 0.5, "readings": 3}),
        ]
    }

    #[test]
    fn every_field_of_a_kind_is_needed_and_every_kind_is_read_as_serde_reads_it() {
        for body in bodies() {
            let mut whole = head();
            let fields = body.as_object().unwrap().clone();
            whole.as_object_mut().unwrap().extend(fields.clone());
            // From text and from a tree of values, where nothing can be borrowed.
            let event: Event = serde_json::from_str(&whole.to_string()).unwrap();
            assert_eq!(serde_json::from_value::<Event>(whole.clone()).unwrap(), event);
            assert_eq!(serde_json::from_value::<EventBody>(body.clone()).unwrap(), event.body);
            assert_eq!(
                serde_json::from_str::<Event>(&serde_json::to_string(&event).unwrap()).unwrap(),
                event
            );
            for name in fields.keys() {
                let mut part = whole.clone();
                part.as_object_mut().unwrap().remove(name);
                let error = serde_json::from_value::<Event>(part).unwrap_err().to_string();
                assert!(error.contains(name), "{error} does not name {name}");
            }
        }
        let mut wrong = head();
        let fields = bodies()[0].as_object().unwrap().clone();
        wrong.as_object_mut().unwrap().extend(fields);
        wrong["class"] = "elephant".into();
        assert!(serde_json::from_value::<Event>(wrong).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = serde_json::from_slice::<Event>(&bytes);
        }
    }
}
