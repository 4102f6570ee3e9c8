//! What the box tells systemd: that it is ready, and that it lives. Invariant: it says that it lives only while every
//! worker comes back from its frame; a worker that hangs in a frame cannot be ended from within, so silence makes systemd
//! start the process anew. What was decided is in the outbox.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A stage that makes no progress for so long hangs.
pub const HANGS_AFTER: Duration = Duration::from_secs(10);
const IDLE: u64 = u64::MAX;

/// When each worker began its present frame.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    since_ms: Vec<AtomicU64>,
}

impl Progress {
    /// Of so many idle workers.
    pub fn new(workers: usize) -> Self {
        Self {
            started: Instant::now(),
            since_ms: (0..workers).map(|_| AtomicU64::new(IDLE)).collect(),
        }
    }

    /// A worker begins a frame.
    pub fn begin(&self, worker: usize) {
        self.since_ms[worker].store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// A worker is done with it.
    pub fn end(&self, worker: usize) {
        self.since_ms[worker].store(IDLE, Ordering::Relaxed);
    }

    /// The first worker that has been in one frame for longer than `patience`.
    pub fn hanging(&self, patience: Duration) -> Option<usize> {
        let now_ms = self.started.elapsed().as_millis() as u64;
        let hangs = |since: &AtomicU64| {
            let since_ms = since.load(Ordering::Relaxed);
            since_ms != IDLE && now_ms.saturating_sub(since_ms) > patience.as_millis() as u64
        };
        self.since_ms.iter().position(hangs)
    }
}

/// The line to systemd; mute where there is none.
#[derive(Debug)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    every: Option<Duration>,
}

impl Notify {
    /// By the environment that systemd gives.
    pub fn from_environment() -> Self {
        let every = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let address = std::env::var("NOTIFY_SOCKET").ok();
        Self::to(address.as_deref(), every.map(Duration::from_micros))
    }

    /// To an address as systemd writes it, `@name` for an abstract one; `watchdog` is the time until systemd loses patience.
    pub fn to(address: Option<&str>, watchdog: Option<Duration>) -> Self {
        let socket = address.and_then(|address| match connect(address) {
            Ok(socket) => Some(socket),
            Err(cause) => {
                tracing::warn!(%cause, "systemd cannot be told how this goes; check NOTIFY_SOCKET");
                None
            }
        });
        Self {
            socket,
            every: watchdog.map(|patience| patience / 2),
        }
    }

    /// How often to say that all is well; none where systemd does not watch.
    pub fn every(&self) -> Option<Duration> {
        self.socket.as_ref().and(self.every)
    }

    /// Frames are being waited for.
    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// All is well.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// The end was asked for.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, what: &str) {
        if let Some(socket) = &self.socket {
            // Nobody listens any more: nothing that this process could mend.
            let _ = socket.send(what.as_bytes());
        }
    }
}

fn connect(address: &str) -> std::io::Result<UnixDatagram> {
    use std::os::linux::net::SocketAddrExt;
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match address.strip_prefix('@') {
        Some(name) => socket.connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(address)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_that_it_is_ready_and_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.to_str(), Some(Duration::from_secs(30)));
        assert_eq!(notify.every(), Some(Duration::from_secs(15)));
        notify.ready();
        notify.alive();
        let mut heard = [0; 64];
        for expected in ["READY=1", "WATCHDOG=1"] {
            let length = systemd.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], expected.as_bytes());
        }
    }

    #[test]
    fn without_systemd_it_is_mute() {
        let notify = Notify::to(None, Some(Duration::from_secs(30)));
        assert_eq!(notify.every(), None);
        notify.ready();
        Notify::to(Some("/nowhere/at/all"), None).alive();
    }

    #[test]
    fn a_worker_that_stays_in_a_frame_hangs() {
        let progress = Progress::new(2);
        assert_eq!(progress.hanging(Duration::ZERO), None, "idle is not hanging");
        progress.begin(1);
        while progress.hanging(Duration::ZERO).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(progress.hanging(Duration::ZERO), Some(1));
        assert_eq!(progress.hanging(HANGS_AFTER), None);
        progress.end(1);
        assert_eq!(progress.hanging(Duration::ZERO), None);
    }
}
