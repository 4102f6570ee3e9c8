//! A decoding child: `ffmpeg`, which hands over planes of raw pixels on a pipe. Invariant: whatever happens, the child is
//! ended and reaped when this is dropped. Knows no cameras and no files, only arguments.

use super::stderr::{self, Complaints, Listener};
use super::{Frame, Planes, SourceError, SourceOptions};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, never};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use std::io::Read;
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vong_wire::Trouble;

/// How often a wait looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A picture larger than this is not one: 100 megapixels.
const PIXEL_LIMIT: u64 = 100_000_000;

/// Room in the pipe, as much as Linux gives to anybody: some pictures of the detector's size.
const PIPE_BYTES: usize = 1 << 20;

/// Pictures that wait to be filled again: one with the reader, one on the way.
const SPARE: usize = 4;

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
    /// Whole pictures: a pipe that stalls in the middle of one holds its thread up, not the caller.
    pictures: Receiver<(Planes, Option<f64>)>,
    /// Pictures to fill again.
    spare: Sender<Planes>,
    complaints: Complaints,
    reader: Option<JoinHandle<()>>,
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
                "-f",
                "rawvideo",
                // Else a picture is copied once more in small pieces, and its end waits in a buffer for the next one:
                // for ever, when the camera stalls.
                "-avioflags",
                "direct",
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
        // A picture in one piece instead of in many; where the system refuses, it goes as before.
        let _ = rustix::pipe::fcntl_setpipe_size(&pixels, PIPE_BYTES);
        let complaints = Complaints::default();
        let (full, pictures) = bounded(0);
        let (spare, empty) = bounded(SPARE);
        let started = fcntl_setfl(&errors, OFlags::NONBLOCK)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                let listener = Listener::new(errors, stderr::secret_of(input), complaints.clone());
                std::thread::Builder::new()
                    .name("ffmpeg-pixels".into())
                    .spawn(move || read_pictures(pixels, listener, &empty, full))
            });
        // Made first, so that the child is ended where a thread cannot be started.
        let mut this = Self {
            child,
            pictures,
            spare,
            complaints,
            reader: None,
            stop: options.stop.clone(),
            raw: options.raw,
        };
        this.reader = Some(started.map_err(|cause| SourceError::NoDecoder {
            program: "ffmpeg",
            cause,
        })?);
        Ok(this)
    }

    /// Waits for the next picture, for `patience` at most.
    pub(super) fn read(&mut self, frame: &mut Frame, patience: Duration) -> Got {
        let since = Instant::now();
        loop {
            if self.stop.is_cancelled() {
                return Got::Ended;
            }
            match self.pictures.recv_timeout(LOOK) {
                Ok((planes, pts_s)) => {
                    // There may be enough of them, or the reader may have ended: then nobody wants the old one.
                    let _ = self.spare.try_send(std::mem::replace(&mut frame.planes, planes));
                    if !self.raw {
                        frame.develop();
                    }
                    return Got::Frame(pts_s);
                }
                Err(RecvTimeoutError::Timeout) if since.elapsed() < patience => {}
                Err(RecvTimeoutError::Timeout) => return Got::Stalled,
                Err(RecvTimeoutError::Disconnected) => return Got::Ended,
            }
        }
    }

    /// What the child said last. Complete once it has ended.
    pub(super) fn last_words(&mut self) -> Option<String> {
        self.end();
        self.complaints.last()
    }

    /// How long the file's header says that it is, s. Complete once the child has ended.
    pub(super) fn duration_s(&self) -> Option<f64> {
        self.complaints.duration_s()
    }

    /// Why the child ended by itself, by its own words.
    pub(super) fn trouble(&mut self) -> Trouble {
        self.end();
        self.complaints.trouble()
    }

    fn end(&mut self) {
        // A child that has ended by itself cannot be killed: no news.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A reader that waits to hand a picture over learns that nobody takes it.
        self.pictures = never();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads pictures until the pipe ends or nobody takes them, and then what the child says until its end.
fn read_pictures(
    mut pixels: ChildStdout,
    mut listener: Listener<ChildStderr>,
    empty: &Receiver<Planes>,
    full: Sender<(Planes, Option<f64>)>,
) {
    while read_picture(&mut pixels, &mut listener, empty, &full).is_some() {}
    // Else the child would wait for somebody to take its pixels, and the caller for a picture.
    drop((pixels, full));
    if fcntl_setfl(listener.stderr(), OFlags::empty()).is_ok() {
        listener.listen();
    }
}

fn read_picture(
    pixels: &mut ChildStdout,
    listener: &mut Listener<ChildStderr>,
    empty: &Receiver<Planes>,
    full: &Sender<(Planes, Option<f64>)>,
) -> Option<()> {
    // A picture is told before it comes: who waits for pixels alone is woken once.
    while !is_ready(pixels)? {
        listener.listen();
    }
    let mut is_open = listener.listen();
    let head = loop {
        match listener.heads.pop_front() {
            Some(head) => break head,
            None if is_open => is_open = is_ready(listener.stderr()).is_some_and(|ready| !ready || listener.listen()),
            None => return None,
        }
    };
    if u64::from(head.width) * u64::from(head.height) > PIXEL_LIMIT || head.width == 0 || head.height == 0 {
        return None;
    }
    let mut planes = empty.try_recv().unwrap_or_default();
    pixels
        .read_exact(planes.room(head.width, head.height, head.coding))
        .ok()?;
    full.send((planes, head.pts_s)).ok()
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
