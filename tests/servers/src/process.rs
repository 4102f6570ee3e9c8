//! A server as a child process that is ready when its log says so. Servers refuse to run as root, so root hands them over
//! to `postgres` or `nobody`.

use crate::ServerError;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(20);
const LOG_LINES: usize = 20;

/// A port that nothing listens on at present.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The user and group that servers run as: none, this one, unless this one is root.
pub(crate) fn servant() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let effective = uid.and_then(|ids| ids.split_whitespace().nth(1)).unwrap_or("0");
    if effective != "0" {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let of = |name: &str| {
        passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.first() == Some(&name))
                .then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        })
    };
    of("postgres").or_else(|| of("nobody")).or(Some((65_534, 65_534)))
}

/// Gives a folder to the servant.
pub(crate) fn hand_over(path: &Path) -> std::io::Result<()> {
    match servant() {
        Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        None => Ok(()),
    }
}

/// A command that runs as the servant, in a folder that he may see.
pub(crate) fn as_servant(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C");
    if let Some((uid, gid)) = servant() {
        command.uid(uid).gid(gid);
    }
    command
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// The signal that asks it to stop at once, leaving its files in order.
    stop_signal: &'static str,
}

impl Server {
    /// Starts a server and waits until a line of its log holds `ready`.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        folder: &Path,
        ready: &str,
        stop_signal: &'static str,
    ) -> Result<Self, ServerError> {
        let system = |cause| ServerError::System { program: name, cause };
        // A test that is killed takes its servers with it.
        let guard = Path::new("/usr/bin/setpriv");
        let mut command = match guard.is_file() {
            true => {
                let mut command = as_servant(guard, folder);
                command.args(["--pdeathsig", stop_signal, "--"]).arg(program);
                command
            }
            false => as_servant(program, folder),
        };
        let child = command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut this = Self {
            child: child.map_err(system)?,
            stop_signal,
        };
        let log = this.child.stderr.take().expect("stderr is piped");
        let (sender, lines) = mpsc::channel();
        // Reads on to the end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let (begun, mut last) = (Instant::now(), VecDeque::new());
        loop {
            match lines.recv_timeout(READY_WITHIN.saturating_sub(begun.elapsed())) {
                Ok(line) if line.contains(ready) => return Ok(this),
                Ok(line) => {
                    last.push_back(line);
                    if last.len() > LOG_LINES {
                        last.pop_front();
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let log = last.into_iter().collect::<Vec<_>>().join(" | ");
                    return Err(ServerError::NotReady { program: name, log });
                }
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", self.stop_signal, &id]).status();
        let begun = Instant::now();
        while begun.elapsed() < STOPS_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
