//! What `deploy/` holds is tried, not only shown: the broker's settings start a real Mosquitto with certificates made here,
//! and its rules keep one gate out of another's topics.

use super::here;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use vong_servers::{Mosquitto, ServerError, free_port, or_skip};

fn read(path: &str) -> String {
    let path = here::root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// A certificate that signs itself; it stands for authority and server.
fn certificate(folder: &Path) -> std::io::Result<()> {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "1",
        ])
        .args(["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"])
        .current_dir(folder)
        .output()?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::copy(folder.join("server.crt"), folder.join("ca.crt")).map(drop)
}

#[test]
fn the_brokers_settings_start_a_broker() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: openssl is not on this machine");
        assert!(std::env::var_os("CI").is_none(), "in CI everything must be there");
        return;
    }
    for file in ["deploy/mosquitto/mosquitto.conf", "deploy/compose/mosquitto.conf"] {
        let (gates, offices) = (free_port().expect("a port"), free_port().expect("a port"));
        let text = read(file)
            .replace("/etc/mosquitto/certs/", "")
            .replace("/etc/mosquitto/", "")
            .replace("listener 8883", &format!("listener {gates} 127.0.0.1"))
            .replace("listener 1883 127.0.0.1", &format!("listener {offices} 127.0.0.1"))
            .replace("listener 1883\n", &format!("listener {offices} 127.0.0.1\n"));
        assert!(
            text.contains(&format!("listener {offices} ")) && !text.contains("/etc/"),
            "{file}: {text}"
        );
        let prepare = |folder: &Path| {
            certificate(folder)?;
            std::fs::write(folder.join("passwords"), "")?;
            std::fs::write(folder.join("acl"), read("deploy/mosquitto/acl"))
        };
        if or_skip(Mosquitto::with(&text, prepare)).is_none() {
            return;
        }
    }
}

struct Client {
    client: AsyncClient,
    events: EventLoop,
}

impl Client {
    async fn connect(port: u16, user: &str) -> Self {
        let mut options = MqttOptions::new(user.replace('/', "."), "127.0.0.1", port);
        options.set_credentials(user, "any");
        let (client, events) = AsyncClient::new(options, 16);
        let mut this = Self { client, events };
        this.until(|packet| matches!(packet, Packet::ConnAck(_)).then_some(()))
            .await;
        this
    }

    async fn until<T>(&mut self, wanted: impl Fn(&Packet) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Event::Incoming(packet) = self.events.poll().await.expect("the broker answers")
                    && let Some(found) = wanted(&packet)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), found)
            .await
            .expect("in time")
    }

    async fn subscribe(&mut self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.expect("asked");
        self.until(|packet| matches!(packet, Packet::SubAck(_)).then_some(()))
            .await;
    }

    /// Whether the broker takes a message.
    async fn may_publish(&mut self, topic: &str) -> bool {
        self.client
            .publish(topic, QoS::AtLeastOnce, false, "x")
            .await
            .expect("sent");
        let reason = self.until(|packet| match packet {
            Packet::PubAck(ack) => Some(ack.reason),
            _ => None,
        });
        reason.await != PubAckReason::NotAuthorized
    }

    async fn next_topic(&mut self) -> String {
        self.until(|packet| match packet {
            Packet::Publish(publish) => Some(String::from_utf8_lossy(&publish.topic).into_owned()),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn a_gate_writes_and_reads_below_its_own_name_only() {
    let prepare = |folder: &Path| std::fs::write(folder.join("acl"), read("deploy/mosquitto/acl"));
    // The user stands for the common name of a certificate.
    let started = Mosquitto::with("allow_anonymous true\nacl_file acl\n", prepare);
    if matches!(started, Err(ServerError::Absent { .. })) {
        or_skip(started);
        return;
    }
    let broker = started.expect("the rules are understood");
    let mut office = Client::connect(broker.port(), "vong-central").await;
    for channel in ["event", "alert", "count", "evidence/+", "state"] {
        office.subscribe(&format!("$share/vong/vong/v1/+/+/{channel}")).await;
    }
    let mut gate = Client::connect(broker.port(), "park/edge-1").await;
    gate.subscribe("vong/v1/#").await;
    for (topic, allowed) in [
        ("vong/v1/park/edge-1/event", true),
        ("vong/v1/park/edge-1/evidence/a", true),
        ("vong/v1/park/edge-2/event", false),
        ("vong/v1/park/edge-1/ack", false),
        ("vong/v1/park/edge-2/command", false),
        ("other", false),
        ("vong/v1/park/edge-1/state", true),
    ] {
        assert_eq!(gate.may_publish(topic).await, allowed, "{topic}");
    }
    // The office hears what was allowed, in its order, and nothing else.
    for expected in ["event", "evidence/a", "state"] {
        assert_eq!(office.next_topic().await, format!("vong/v1/park/edge-1/{expected}"));
    }
    // The gate asked for everything and hears only its own commands.
    for topic in ["vong/v1/park/edge-2/ack", "vong/v1/park/edge-1/ack"] {
        assert!(office.may_publish(topic).await, "{topic}");
    }
    assert!(
        !office.may_publish("vong/v1/park/edge-1/event").await,
        "an office may not speak for a gate"
    );
    assert_eq!(gate.next_topic().await, "vong/v1/park/edge-1/ack");
}

#[test]
fn the_offices_settings_are_understood_and_the_units_are_hardened() {
    let central: toml::Table = read("deploy/compose/central.toml").parse().expect("it is TOML");
    assert!(central.contains_key("store") && central.contains_key("broker"));
    for unit in [
        "deploy/systemd/vong-central@.service",
        "deploy/systemd/vong-edge.service",
    ] {
        let text = read(unit);
        for line in [
            "NoNewPrivileges=true",
            "ProtectSystem=strict",
            "CapabilityBoundingSet=",
            "Restart=always",
            "User=vong",
        ] {
            assert!(text.lines().any(|written| written == line), "{unit} lacks {line}");
        }
    }
}
