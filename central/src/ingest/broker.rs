//! A broker within this process, for one machine. Invariant: [`start`] returns only when the broker takes connections,
//! known by making one; a taken port is said before anything is started.
//!
//! `rumqttd` keeps retained messages and sessions in memory only. Nothing is lost by that: what devices decided stays in
//! their outboxes until this office has committed it.

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use vong_wire::MAX_PACKET_BYTES;

/// Name of the broker's threads.
pub const THREAD: &str = "vong-broker";

const STARTS_WITHIN: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 1_000;
/// Log a topic filter: four segments of 4 MiB. A reader that lies further behind loses messages at the broker and gets
/// them again from the outboxes.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;
const SEGMENTS: usize = 4;

/// Why the broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address} for the broker: {cause}; end the program that uses it or change [broker.inside] listen"
    )]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It does not take connections.
    #[error("the broker inside does not take connections on {0}; look at the log with VONG_LOG=info")]
    Silent(SocketAddr),
}

/// Fails if the address cannot be listened on. Between this and [`start`] another program could still take it; then the
/// broker stays silent and that is said.
pub fn check_address(address: SocketAddr) -> Result<(), BrokerError> {
    std::net::TcpListener::bind(address)
        .map(drop)
        .map_err(|cause| BrokerError::Address { address, cause })
}

/// Starts the broker on threads of its own; it ends with the process.
pub async fn start(address: SocketAddr) -> Result<(), BrokerError> {
    check_address(address)?;
    let failed = |cause| BrokerError::Address { address, cause };
    let run = move || {
        if let Err(cause) = Broker::new(settings(address)).start() {
            tracing::error!(%cause, "the broker inside ended");
        }
    };
    std::thread::Builder::new()
        .name(THREAD.into())
        .spawn(run)
        .map_err(failed)?;
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if begun.elapsed() > STARTS_WITHIN {
            return Err(BrokerError::Silent(address));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn settings(address: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: MAX_PACKET_BYTES as usize,
        max_inflight_count: 200,
        auth: None,
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: THREAD.into(),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections,
    };
    let router = RouterConfig {
        max_connections: MOST_CONNECTIONS,
        max_outgoing_packet_count: 200,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: SEGMENTS,
        ..RouterConfig::default()
    };
    Config {
        router,
        v5: Some(HashMap::from([(THREAD.to_string(), server)])),
        ..Config::default()
    }
}

/// Ends the process when a thread of the broker panics: `rumqttd` 0.20 then holds a poisoned lock and refuses every
/// device for ever, while those that are connected go on, so that nobody would notice. A service manager starts it anew.
pub fn end_process_with_it() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        let name = std::thread::current().name().unwrap_or_default().to_string();
        if name == THREAD || name.starts_with("router-") {
            tracing::error!(
                thread = name,
                "the broker inside failed; the office ends so that it is started anew"
            );
            std::process::exit(1);
        }
    }));
}
