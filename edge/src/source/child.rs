//! A decoding child: `ffmpeg`, which hands over planes of raw pixels on a pipe. Invariant: whatever happens, the child is
//! ended and reaped when this is dropped. Knows no cameras and no files, only arguments.

use super::stderr::{self, Head, Listener};
use super::{Frame, SourceError, SourceOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vong_wire::Trouble;

/// How often a wait looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A picture larger than this is not one: 100 megapixels.
const PIXEL_LIMIT: u64 = 100_000_000;

/// Room in the pipe, as much as Linux gives to anybody: some pictures of the detector's size.
const PIPE_BYTES: usize = 1 << 20;

/// What came from the child.
#[derive(Debug)]
pub(super) enum Got {
    /// A picture, with its place in the stream, s, where known.
    Frame(Option<f64>),
    /// Nothing for too long.
    Stalled,
    /// The child closed its pipe, or the caller's stop was called.
    Ended,
}

/// A running `ffmpeg`.
#[derive(Debug)]
pub(super) struct Decoder {
    child: Child,
    /// Read without waiting: whoever waits for pixels looks now and then whether it is to stop.
    pixels: ChildStdout,
    listener: Listener<ChildStderr>,
    stop: CancellationToken,
    raw: bool,
}

impl Decoder {
    /// Starts a child that decodes the first video stream of `input`, which must be an argument that ffmpeg cannot take
    /// for an option.
    pub(super) fn start(before_input: &[&str], input: &str, options: &SourceOptions) -> Result<Self, SourceError> {
        let mut child = Command::new("ffmpeg")
            .args([
                "-nostdin",
                "-hide_banner",
                "-nostats",
                "-loglevel",
                "level+info",
                "-threads",
                "1",
            ])
            .args(before_input)
            .args([
                "-i",
                input,
                "-map",
                "0:v:0",
                "-filter_threads",
                "1",
                "-vf",
                &filters(options),
            ])
            .args([
                // A stream whose pictures change their size is handed over as it is: each is told with its own.
                "-autoscale",
                "0",
                "-fps_mode",
                "passthrough",
                "-pix_fmt",
                "yuv420p",
                // Else pictures are written by a thread for each core, and each comes out when the next one goes in.
                "-threads",
                "1",
                "-f",
                "rawvideo",
                // Else the end of a picture waits in a buffer for the next one: for ever, when the camera stalls.
                "-flush_packets",
                "1",
                "pipe:1",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|cause| SourceError::NoDecoder {
                program: "ffmpeg",
                cause,
            })?;
        let pixels = child.stdout.take().expect("standard output is a pipe");
        let errors = child.stderr.take().expect("standard error is a pipe");
        // Else the child would wait in the middle of every picture; where the system refuses, it goes as before.
        let _ = rustix::pipe::fcntl_setpipe_size(&pixels, PIPE_BYTES);
        let unread = [
            fcntl_setfl(&pixels, OFlags::NONBLOCK),
            fcntl_setfl(&errors, OFlags::NONBLOCK),
        ];
        // Made first, so that the child is ended whatever follows.
        let this = Self {
            child,
            pixels,
            listener: Listener::new(errors, stderr::secret_of(input)),
            stop: options.stop.clone(),
            raw: options.raw,
        };
        for set in unread {
            set.map_err(|cause| SourceError::NoDecoder {
                program: "ffmpeg",
                cause: cause.into(),
            })?;
        }
        Ok(this)
    }

    /// Waits for the next picture, for `patience` at most. Of a picture that did not come whole the pixels are worth
    /// nothing, and so is whatever comes after it.
    pub(super) fn read(&mut self, frame: &mut Frame, patience: Duration) -> Got {
        let until = Instant::now() + patience;
        match self.picture(frame, until) {
            Ok(head) => {
                if !self.raw {
                    frame.develop();
                }
                Got::Frame(head.pts_s)
            }
            Err(no_picture) => {
                frame.planes.clear();
                no_picture
            }
        }
    }

    fn picture(&mut self, frame: &mut Frame, until: Instant) -> Result<Head, Got> {
        // A picture is told before it comes: who waits for pixels alone is woken once.
        loop {
            self.look(until)?;
            if is_ready(&self.pixels).ok_or(Got::Ended)? {
                break;
            }
            self.listener.listen();
        }
        let mut is_open = self.listener.listen();
        let head = loop {
            match self.listener.heads.pop_front() {
                Some(head) => break head,
                None if is_open => {
                    self.look(until)?;
                    is_open = is_ready(self.listener.stderr()).is_some_and(|ready| !ready || self.listener.listen());
                }
                None => return Err(Got::Ended),
            }
        };
        if u64::from(head.width) * u64::from(head.height) > PIXEL_LIMIT || head.width == 0 || head.height == 0 {
            return Err(Got::Ended);
        }
        let mut room = frame.planes.room(head.width, head.height, head.coding);
        while !room.is_empty() {
            match self.pixels.read(room) {
                Ok(0) => return Err(Got::Ended),
                Ok(came) => room = &mut room[came..],
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => {
                    if !is_ready(&self.pixels).ok_or(Got::Ended)? {
                        self.listener.listen();
                        self.look(until)?;
                    }
                }
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Got::Ended),
            }
        }
        Ok(head)
    }

    /// Whether to wait on.
    fn look(&self, until: Instant) -> Result<(), Got> {
        if self.stop.is_cancelled() {
            return Err(Got::Ended);
        }
        match Instant::now() < until {
            true => Ok(()),
            false => Err(Got::Stalled),
        }
    }

    /// What the child said last. Complete once it has ended.
    pub(super) fn last_words(&mut self) -> Option<String> {
        self.end();
        self.listener.complaints.last()
    }

    /// How long the file's header says that it is, s. Complete once the child has ended.
    pub(super) fn duration_s(&self) -> Option<f64> {
        self.listener.complaints.duration_s()
    }

    /// Why the child ended by itself, by its own words.
    pub(super) fn trouble(&mut self) -> Trouble {
        self.end();
        self.listener.complaints.trouble()
    }

    fn end(&mut self) {
        // A child that has ended by itself cannot be killed: no news.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // It has ended: all that it said is there.
        self.listener.listen();
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits a while for something to read; none once nothing more can come.
fn is_ready(pipe: &impl AsFd) -> Option<bool> {
    let mut polled = [PollFd::new(pipe, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: LOOK.subsec_nanos().into(),
    };
    match poll(&mut polled, Some(&patience)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => Some(false),
        Ok(_) => polled[0].revents().contains(PollFlags::IN).then_some(true),
        Err(_) => None,
    }
}

/// Frames that are too many go first, so that they cost no scaling; `showinfo` comes last, so that it tells the size
/// that is handed over.
fn filters(options: &SourceOptions) -> String {
    let mut chain = String::new();
    if let Some(fps) = options.max_fps.filter(|fps| fps.is_finite() && *fps > 0.0) {
        // A twentieth early counts as in time: clocks of cameras jitter.
        chain += &format!(
            "select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,{:.4})',",
            0.95 / fps
        );
    }
    if let Some([left, top, right, bottom]) = options.region.map(|region| region.sides()) {
        let (width, height) = (right - left, bottom - top);
        chain += &format!("crop=iw*{width}:ih*{height}:iw*{left}:ih*{top},");
    }
    if let Some((width, height)) = options.size {
        chain += &format!("scale={width}:{height}:flags=area,");
    }
    if let Some((width, height)) = options.within {
        chain +=
            &format!("scale='min({width},iw)':'min({height},ih)':force_original_aspect_ratio=decrease:flags=area,");
    }
    chain + "format=yuv420p,showinfo=checksum=0"
}

/// Waits, but not beyond the stop; says whether it may go on.
pub(super) fn wait(stop: &CancellationToken, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if stop.is_cancelled() {
            return false;
        }
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
