//! The publisher before a real Mosquitto with TLS that asks each gate for its certificate: what is decided arrives; a broker
//! of another authority is not spoken to; certificates that are renewed are in use without a start.

use super::tests::{Device, alert, office};
use super::*;
use crate::outbox::DEFAULT_LIMIT_BYTES;
use std::path::{Path, PathBuf};
use vong_servers::{Authority, Mosquitto, free_port, or_skip};

/// The certificates of a gate and of a broker, by one authority, written over what is there.
fn certify(authority: &Authority, gate: &Path, broker: &Path) {
    let copy = |from: &Path, to: PathBuf| {
        // Written into the file that is there: it keeps its owner, who may be another than this one.
        std::fs::write(to, std::fs::read(from).unwrap()).unwrap();
    };
    for (folder, name, common_name) in [(gate, "edge", "park/edge-1"), (broker, "server", "localhost")] {
        let (certificate, key) = authority.issue(name, common_name).unwrap();
        copy(&authority.certificate(), folder.join("ca.crt"));
        copy(&certificate, folder.join(format!("{name}.crt")));
        copy(&key, folder.join(format!("{name}.key")));
    }
}

#[tokio::test]
async fn decisions_pass_by_tls_and_a_changed_certificate_is_taken_up() {
    let (Some(first), Some(second)) = (or_skip(Authority::new()), or_skip(Authority::new())) else {
        return;
    };
    let gate = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let lines = format!(
        "allow_anonymous true\nlistener {port} 127.0.0.1\ncafile ca.crt\ncertfile server.crt\nkeyfile server.key\n\
         require_certificate true\nuse_identity_as_username true\n"
    );
    let prepare = |folder: &Path| {
        certify(&first, gate.path(), folder);
        Ok(())
    };
    let Some(mut broker) = or_skip(Mosquitto::with(&lines, prepare)) else {
        return;
    };
    let office = tokio::spawn(office(broker.port(), HashMap::new(), None));
    let files = |name: &str| Some(gate.path().join(name));
    let tls = TlsFiles {
        ca: gate.path().join("ca.crt"),
        certificate: files("edge.crt"),
        key: files("edge.key"),
    };
    let device = Device::start_with(port, DEFAULT_LIMIT_BYTES, Some(tls)).await;
    device.outbox.append(vec![alert().1]).await.unwrap();
    device.drained().await;

    // The broker comes back with certificates of another authority: the gate keeps what it has.
    broker.kill();
    let elsewhere = tempfile::tempdir().unwrap();
    certify(&second, elsewhere.path(), broker.folder());
    device.outbox.append(vec![alert().1]).await.unwrap();
    broker.start_again().unwrap();
    let kept = tokio::time::timeout(Duration::from_secs(3), device.outbox.drained()).await;
    assert!(kept.is_err(), "a broker that nobody vouches for was spoken to");

    // A person renews the gate's files; nobody starts anything.
    for name in ["ca.crt", "edge.crt", "edge.key"] {
        std::fs::copy(elsewhere.path().join(name), gate.path().join(name)).unwrap();
    }
    device.drained().await;
    device.end().await;
    office.abort();
}
