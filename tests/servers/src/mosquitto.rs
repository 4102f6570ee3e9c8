//! A Mosquitto of one's own, on a free port of loopback.

use crate::process::{Server, free_port, hand_over};
use crate::{ServerError, find};
use std::path::{Path, PathBuf};

const NAME: &str = "mosquitto";

/// A running Mosquitto; it ends with this value.
#[derive(Debug)]
pub struct Mosquitto {
    server: Option<Server>,
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Mosquitto {
    /// Starts one that lets everybody in.
    pub fn start() -> Result<Self, ServerError> {
        Self::with("allow_anonymous true\n", |_| Ok(()))
    }

    /// Starts one with lines of configuration below its listener, after `prepare` has put files into its folder; paths in
    /// the lines are relative to it.
    pub fn with(lines: &str, prepare: impl FnOnce(&Path) -> Result<(), std::io::Error>) -> Result<Self, ServerError> {
        let program = find(NAME, ["/usr/sbin".into()]).ok_or(ServerError::Absent { program: NAME })?;
        let system = |cause| ServerError::System { program: NAME, cause };
        let folder = tempfile::tempdir().map_err(system)?;
        prepare(folder.path()).map_err(system)?;
        let port = free_port().map_err(system)?;
        let text = format!(
            "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\nlog_type information\nconnection_messages false\nlistener {port} 127.0.0.1\n{lines}"
        );
        std::fs::write(folder.path().join("mosquitto.conf"), text).map_err(system)?;
        for item in std::fs::read_dir(folder.path()).map_err(system)?.flatten() {
            hand_over(&item.path()).map_err(system)?;
        }
        hand_over(folder.path()).map_err(system)?;
        let mut this = Self {
            server: None,
            program,
            folder,
            port,
        };
        this.start_again()?;
        Ok(this)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder: configuration and what was put beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.server.as_ref().map(Server::id)
    }

    /// Ends it as a power cut would; [`Mosquitto::start_again`] starts it on the same port.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts it on the same port.
    pub fn start_again(&mut self) -> Result<(), ServerError> {
        let arguments = ["-c".to_string(), "mosquitto.conf".into()];
        self.server = Some(Server::start(
            NAME,
            &self.program,
            &arguments,
            self.folder.path(),
            " running",
            "TERM",
        )?);
        Ok(())
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.server.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_and_gone_after_it() {
        let Some(mut broker) = crate::or_skip(Mosquitto::start()) else {
            return;
        };
        let address = ("127.0.0.1", broker.port());
        std::net::TcpStream::connect(address).unwrap();
        broker.kill();
        assert!(std::net::TcpStream::connect(address).is_err());
        broker.start_again().unwrap();
        std::net::TcpStream::connect(address).unwrap();
        drop(broker);
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_wrong_configuration_is_told_in_its_own_words() {
        match Mosquitto::with("no_such_key true\n", |_| Ok(())) {
            Err(ServerError::NotReady { log, .. }) => assert!(log.contains("no_such_key"), "{log}"),
            Err(absent @ ServerError::Absent { .. }) => drop(crate::or_skip::<Mosquitto>(Err(absent))),
            other => panic!("{other:?}"),
        }
    }
}
