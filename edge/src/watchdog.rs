//! Who hangs, how often, and what the box tells systemd: that it is ready, and that it lives. Invariant: a worker that
//! was given up is told so when it comes back, before it touches anything ([`Progress::end`]); systemd hears that the box
//! lives only while nothing hangs that cannot be mended from within (docs/adr/0014).

use std::collections::VecDeque;
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More restarts than this within [`Restarts::WITHIN`]: restarting does not help.
pub const MOST_RESTARTS: usize = 5;

/// For how long a stage may make no progress.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// With a frame; then its worker is given up.
    pub frame: Duration,
    /// With one attempt of the disk, or opening models; then only systemd can help.
    pub disk: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            frame: Duration::from_secs(10),
            disk: Duration::from_secs(60),
        }
    }
}

/// What a worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// A frame of a camera, or its end.
    Frame(usize),
    /// Writing down what was decided on a camera's frame: never given up, or a decision would be lost.
    Disk(usize),
    /// Opening its models.
    Opening,
}

/// One worker: its place, and how many were given up there before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// Its place.
    pub place: usize,
    generation: u64,
}

#[derive(Debug, Default)]
struct Place {
    generation: u64,
    turn: Option<(At, Instant)>,
}

/// What each worker is at, and since when.
#[derive(Debug)]
pub struct Progress(Vec<Mutex<Place>>);

impl Progress {
    /// Of so many idle workers.
    pub fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Mutex::default()).collect())
    }

    /// The first workers.
    pub fn workers(&self) -> impl Iterator<Item = Worker> {
        (0..self.0.len()).map(|place| Worker { place, generation: 0 })
    }

    /// A worker begins something; false: another stands in its place.
    pub fn begin(&self, worker: Worker, at: At) -> bool {
        let mut place = self.place(worker.place);
        let own = place.generation == worker.generation;
        if own {
            place.turn = Some((at, Instant::now()));
        }
        own
    }

    /// A worker is done with it; false: it was given up meanwhile and must touch nothing more.
    pub fn end(&self, worker: Worker) -> bool {
        let mut place = self.place(worker.place);
        let own = place.generation == worker.generation;
        if own {
            place.turn = None;
        }
        own
    }

    /// A worker is the one of its place.
    pub fn stands(&self, worker: Worker) -> bool {
        self.place(worker.place).generation == worker.generation
    }

    /// The places whose workers have been at one thing for longer than there is patience for, and at what.
    pub fn hanging(&self, patience: Patience) -> impl Iterator<Item = (usize, At)> {
        (0..self.0.len()).filter_map(move |number| Some((number, self.place(number).hangs(patience)?)))
    }

    /// Gives the worker of a place up if it still hangs in a frame: who stands in its place now, opening its models, and
    /// the camera that it had.
    pub fn give_up(&self, number: usize, patience: Patience) -> Option<(Worker, usize)> {
        let mut place = self.place(number);
        let Some(At::Frame(camera)) = place.hangs(patience) else {
            return None;
        };
        place.generation += 1;
        place.turn = Some((At::Opening, Instant::now()));
        let worker = Worker {
            place: number,
            generation: place.generation,
        };
        Some((worker, camera))
    }

    fn place(&self, number: usize) -> MutexGuard<'_, Place> {
        self.0[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn hangs(&self, patience: Patience) -> Option<At> {
        let (at, since) = self.turn?;
        let patience = match at {
            At::Frame(_) => patience.frame,
            At::Disk(_) | At::Opening => patience.disk,
        };
        (since.elapsed() > patience).then_some(at)
    }
}

/// How often stages were restarted, and whether that helps.
#[derive(Debug, Default)]
pub struct Restarts(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    ever: u64,
    /// The newest, [`MOST_RESTARTS`] and one at most.
    newest: VecDeque<Instant>,
    stuck: bool,
}

impl Restarts {
    /// Restarts are counted for so long.
    pub const WITHIN: Duration = Duration::from_secs(60);

    /// A stage was restarted.
    pub fn note(&self, now: Instant) {
        let mut noted = self.lock();
        noted.ever += 1;
        noted.newest.push_back(now);
        if noted.newest.len() > MOST_RESTARTS + 1 {
            noted.newest.pop_front();
        }
    }

    /// Something hangs that is not restarted, or nothing does any more.
    pub fn set_stuck(&self, stuck: bool) {
        self.lock().stuck = stuck;
    }

    /// Restarts since the start of the device.
    pub fn ever(&self) -> u64 {
        self.lock().ever
    }

    /// Restarting does not help: more than five within a minute.
    pub fn too_many(&self, now: Instant) -> bool {
        self.lock().too_many(now)
    }

    /// The box cannot mend itself.
    pub fn degraded(&self, now: Instant) -> bool {
        let noted = self.lock();
        noted.stuck || noted.too_many(now)
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn too_many(&self, now: Instant) -> bool {
        let recent = |at: &&Instant| now.saturating_duration_since(**at) < Restarts::WITHIN;
        self.newest.iter().filter(recent).count() > MOST_RESTARTS
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

    const NONE: Patience = Patience {
        frame: Duration::ZERO,
        disk: Duration::from_secs(1_000),
    };

    #[test]
    fn a_worker_that_stays_in_a_frame_is_given_up_and_told_so() {
        let progress = Progress::new(2);
        assert_eq!(progress.hanging(NONE).next(), None, "idle is not hanging");
        let [_, slow] = progress.workers().collect::<Vec<_>>()[..] else {
            panic!("not two workers")
        };
        assert!(progress.begin(slow, At::Frame(7)));
        while progress.hanging(NONE).next().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(progress.hanging(NONE).collect::<Vec<_>>(), [(1, At::Frame(7))]);
        assert_eq!(progress.hanging(Patience::default()).next(), None);
        assert_eq!(progress.give_up(1, Patience::default()), None, "not before its time");
        let (new, camera) = progress.give_up(1, NONE).unwrap();
        assert_eq!((new.place, camera), (1, 7));
        assert_eq!(progress.give_up(1, NONE), None, "the new one opens its models");
        assert!(!progress.end(slow) && !progress.begin(slow, At::Disk(0)) && !progress.stands(slow));
        assert!(progress.end(new) && progress.stands(new));
        assert_eq!(progress.hanging(NONE).next(), None);
    }

    #[test]
    fn a_worker_that_writes_down_is_not_given_up_but_seen() {
        let progress = Progress::new(1);
        let worker = progress.workers().next().unwrap();
        progress.begin(worker, At::Disk(0));
        let none = Patience {
            disk: Duration::ZERO,
            ..NONE
        };
        while progress.hanging(none).next().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(progress.hanging(none).collect::<Vec<_>>(), [(0, At::Disk(0))]);
        assert_eq!(progress.give_up(0, none), None);
        assert!(progress.end(worker));
    }

    #[test]
    fn more_than_five_restarts_within_a_minute_are_too_many() {
        let (restarts, start) = (Restarts::default(), Instant::now());
        let after = |s| start + Duration::from_secs(s);
        for s in 0..5 {
            restarts.note(after(s));
        }
        assert!(!restarts.degraded(after(5)), "five are not more than five");
        restarts.note(after(59));
        assert!(restarts.degraded(after(59)));
        assert!(!restarts.degraded(after(60)), "the first is a minute ago");
        restarts.set_stuck(true);
        assert!(restarts.degraded(after(200)) && !restarts.too_many(after(200)));
        assert_eq!(restarts.ever(), 6);
    }
}
