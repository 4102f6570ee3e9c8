//! An office before a real Mosquitto with TLS that asks for its certificate: it is let in and hears what is sent; a broker of
//! another authority is not spoken to, and an office without a certificate is not let in.

use super::link::{Lane, Link, LinkEvent, LinkSettings};
use super::unique_client;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vong_servers::{Authority, Mosquitto, free_port, or_skip};
use vong_tls::TlsFiles;
use vong_wire::Topic;

/// What the first connection comes to.
async fn connect(port: u16, tls: TlsFiles) -> (Link, super::link::Events, LinkEvent) {
    let settings = LinkSettings {
        host: "127.0.0.1".into(),
        port,
        tls: Some(tls),
        client: unique_client(),
        login: None,
        share: None,
        most_at_once: 20,
        lane: Lane::All,
    };
    let (link, mut events, _fleeting) = Link::open(&settings);
    let first = tokio::time::timeout(Duration::from_secs(30), events.next(1)).await;
    let first = first.expect("a link comes to something within its own time limit");
    (link, events, first.into_iter().next().expect("one event"))
}

fn lost(event: LinkEvent) -> String {
    match event {
        LinkEvent::Lost(cause) => cause,
        other => panic!("{other:?} from a broker that was not to be spoken to"),
    }
}

#[tokio::test]
async fn an_office_shows_its_certificate_and_speaks_to_no_broker_of_another_authority() {
    let (Some(own), Some(other)) = (or_skip(Authority::new()), or_skip(Authority::new())) else {
        return;
    };
    let port = free_port().unwrap();
    let lines = format!(
        "allow_anonymous true\nlistener {port} 127.0.0.1\ncafile ca.crt\ncertfile server.crt\nkeyfile server.key\n\
         require_certificate true\nuse_identity_as_username true\n"
    );
    let prepare = |folder: &Path| {
        let (certificate, key) = own.issue("server", "localhost").map_err(std::io::Error::other)?;
        let files = [
            (own.certificate(), "ca.crt"),
            (certificate, "server.crt"),
            (key, "server.key"),
        ];
        // Written into the file that is there: it keeps its owner, who may be another than this one.
        let copy = |(from, to): (PathBuf, &str)| std::fs::write(folder.join(to), std::fs::read(from)?);
        files.into_iter().try_for_each(copy)
    };
    let Some(_broker) = or_skip(Mosquitto::with(&lines, prepare)) else {
        return;
    };
    let (certificate, key) = own.issue("office", "office-1").unwrap();
    let files = |ca: PathBuf| TlsFiles {
        ca,
        certificate: Some(certificate.clone()),
        key: Some(key.clone()),
    };

    // Its own authority: what is sent over the link is heard on it.
    let (link, mut events, first) = connect(port, files(own.certificate())).await;
    assert!(matches!(first, LinkEvent::Connected), "{first:?}");
    let topic = Topic::parse("vong/v1/park/edge-1/alert").unwrap();
    link.publish(&topic, "heard").await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(30), events.next(1))
        .await
        .unwrap();
    assert!(
        matches!(&heard[..], [LinkEvent::Sure(message)] if &message.0.payload[..] == b"heard"),
        "{heard:?}"
    );

    // A broker that another authority would have to vouch for.
    let (.., first) = connect(port, files(other.certificate())).await;
    let told = lost(first);
    assert!(
        told.contains("not one to trust") && told.contains("[broker.outside.tls] ca"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");

    // An office that nobody vouches for: the broker may hang up before it has said why.
    let stranger = TlsFiles {
        ca: own.certificate(),
        certificate: None,
        key: None,
    };
    let (.., first) = connect(port, stranger).await;
    let told = lost(first);
    assert_eq!(told.lines().count(), 1, "{told}");
}
