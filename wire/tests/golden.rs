//! Messages of every released version are read for ever: `golden/{version}/{kind}*.json` were written by that version and
//! are never changed.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use vong_wire::{Ack, Alert, Command, Count, Event, Health, State};

/// Reads a message and writes it again: nothing that was in it may be gone or different.
fn check<T: DeserializeOwned + Serialize>(name: &str, text: &str) {
    let sent: Value = serde_json::from_str(text).expect("golden messages are JSON");
    let read: T = serde_json::from_str(text).unwrap_or_else(|fault| panic!("{name} cannot be read any more: {fault}"));
    let again = serde_json::to_value(&read).expect("a message is JSON");
    lost("", &sent, &again, name);
}

fn lost(place: &str, sent: &Value, again: &Value, name: &str) {
    match (sent, again) {
        (Value::Object(sent), Value::Object(again)) => {
            for (key, value) in sent {
                let found = again
                    .get(key)
                    .unwrap_or_else(|| panic!("{name}: `{place}/{key}` is lost"));
                lost(&format!("{place}/{key}"), value, found, name);
            }
        }
        (Value::Array(sent), Value::Array(again)) => {
            assert_eq!(sent.len(), again.len(), "{name}: {place}");
            sent.iter()
                .zip(again)
                .for_each(|(sent, again)| lost(place, sent, again, name));
        }
        (Value::Number(sent), Value::Number(again)) => {
            // 32-bit numbers come back with other last digits.
            let (sent, again) = (sent.as_f64().unwrap_or(0.0), again.as_f64().unwrap_or(1.0));
            assert!(
                (sent - again).abs() <= 1e-6 * sent.abs().max(1.0),
                "{name}: {place} {sent} {again}"
            );
        }
        _ => assert_eq!(sent, again, "{name}: {place}"),
    }
}

#[test]
fn messages_of_every_version_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut kinds = std::collections::BTreeSet::new();
    for version in std::fs::read_dir(&golden).expect("golden messages are there") {
        let version = version.expect("readable").path();
        for file in std::fs::read_dir(&version).expect("a folder a version") {
            let path = file.expect("readable").path();
            let text = std::fs::read_to_string(&path).expect("readable");
            let name = path.display().to_string();
            let stem = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            let kind = stem.split('-').next().unwrap_or_default().to_string();
            match kind.as_str() {
                "event" => check::<Event>(&name, &text),
                "alert" => check::<Alert>(&name, &text),
                "count" => check::<Count>(&name, &text),
                "state" => check::<State>(&name, &text),
                "health" => check::<Health>(&name, &text),
                "ack" => check::<Ack>(&name, &text),
                "command" => check::<Command>(&name, &text),
                other => panic!("{name}: no kind `{other}`"),
            }
            kinds.insert(kind);
        }
    }
    assert_eq!(kinds.len(), 7, "not every kind has a golden message: {kinds:?}");
}

#[test]
fn fields_of_the_future_are_tolerated() {
    let text = include_str!("golden/0.1/event-crossing.json");
    let mut future: Value = serde_json::from_str(text).expect("JSON");
    future["weather"] = "rain".into();
    let read: Event = serde_json::from_value(future).expect("an unknown field does no harm");
    assert_eq!(read, serde_json::from_str(text).expect("readable"));
}
