//! The published form of what crosses the wire: docs/ref holds a JSON Schema of every message, made from the types.

use super::here;
use schemars::{Schema, schema_for};
use serde_json::{Value, json};

/// Every message with the topic it travels on.
fn messages() -> Vec<(&'static str, &'static str, Schema)> {
    vec![
        (
            "state",
            "edge to central, retained, QoS 1; also the last will",
            schema_for!(vong_wire::State),
        ),
        ("event", "edge to central, QoS 1", schema_for!(vong_wire::Event)),
        ("alert", "edge to central, QoS 1", schema_for!(vong_wire::Alert)),
        ("count", "edge to central, QoS 1", schema_for!(vong_wire::Count)),
        ("health", "edge to central, QoS 0", schema_for!(vong_wire::Health)),
        (
            "view/{camera}",
            "edge to central, QoS 0: the length of this header (4 bytes, big-endian), the header, a JPEG",
            schema_for!(vong_wire::ViewHeader),
        ),
        ("ack", "central to edge, QoS 1", schema_for!(vong_wire::Ack)),
        ("command", "central to edge, QoS 1", schema_for!(vong_wire::Command)),
    ]
}

#[test]
fn the_schema_of_the_wire_is_the_published_one() {
    let of_message = |(topic, way, schema): (&str, &str, Schema)| {
        (
            format!("vong/v1/{{site}}/{{device}}/{topic}"),
            json!({ "way": way, "schema": schema }),
        )
    };
    let all: serde_json::Map<String, Value> = messages().into_iter().map(of_message).collect();
    let made = serde_json::to_string_pretty(&all).expect("a schema is JSON") + "\n";
    let path = here::root().join("docs/ref/wire.schema.json");
    if std::env::var_os("VONG_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &made).expect("docs/ref can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == made,
        "docs/ref/wire.schema.json is not what crosses the wire; look at the difference and run this test with VONG_WRITE_GOLDEN=1"
    );
}
