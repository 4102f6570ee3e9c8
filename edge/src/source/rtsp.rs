//! Pictures of a network camera. Invariant: a camera that is away is asked again for ever, after growing and jittered
//! waits, and the address is never written anywhere: it may hold a password.

use super::child::{Decoder, Got, wait};
use super::{Frame, Next, Source, SourceError, SourceOptions};
use crate::clock::Clock;
use crate::publish::Backoff;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vong_wire::{Trouble, UnixMs};

/// A camera that delivers no frame for so long is lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// The system's clock may fall back by so much, as its corrections do, without a cut in the camera's time.
const SET_BACK_MS: UnixMs = 2_000;
/// Arguments for a network camera: TCP, since lost packets smear pictures; a silent socket is closed after ten seconds.
const BEFORE_INPUT: [&str; 8] = [
    "-rtsp_transport",
    "tcp",
    "-timeout",
    "10000000",
    "-fflags",
    "nobuffer",
    "-flags",
    "low_delay",
];

/// A network camera.
pub struct RtspSource {
    camera: String,
    url: String,
    options: SourceOptions,
    clock: Arc<dyn Clock>,
    decoder: Option<Decoder>,
    backoff: Backoff,
    retry_at: Option<Instant>,
    first: Option<Instant>,
    last_ms: UnixMs,
    seq: u64,
    patience: Duration,
    /// A frame came since the last connection.
    delivered: bool,
    cut: bool,
}

impl RtspSource {
    /// A camera by its id and address. Connects when the first frame is asked for.
    pub fn new(camera: &str, url: &str, options: SourceOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            camera: camera.to_owned(),
            url: url.to_owned(),
            options,
            clock,
            decoder: None,
            backoff: Backoff::default(),
            retry_at: None,
            first: None,
            patience: PATIENCE,
            last_ms: 0,
            seq: 0,
            delivered: false,
            cut: false,
        }
    }

    /// Waits this long for a frame instead of ten seconds.
    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    fn lost(&mut self, trouble: Trouble) -> Next {
        self.decoder = None;
        self.cut |= self.seq > 0;
        if std::mem::take(&mut self.delivered) {
            self.backoff.reset();
        }
        self.retry_at = Some(Instant::now() + self.backoff.next(&mut rand::rng()));
        Next::Lost(SourceError::Lost {
            camera: self.camera.clone(),
            trouble,
        })
    }
}

impl Source for RtspSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        if let Some(retry_at) = self.retry_at.take()
            && !wait(&self.options.stop, retry_at)
        {
            return Ok(Next::Ended);
        }
        if self.options.stop.is_cancelled() {
            return Ok(Next::Ended);
        }
        if self.decoder.is_none() {
            // Other schemes than rtsp do not know its options.
            let options: &[&str] = if self.url.starts_with("rtsp") {
                &BEFORE_INPUT
            } else {
                &[]
            };
            self.decoder = Some(Decoder::start(options, &self.url, &self.options)?);
            if std::mem::take(&mut self.cut) {
                return Ok(Next::Cut);
            }
        }
        let decoder = self.decoder.as_mut().expect("it was just started");
        match decoder.read(frame, self.patience) {
            Got::Frame(_) => {}
            Got::Stalled => return Ok(self.lost(Trouble::NoFrames)),
            Got::Ended if self.options.stop.is_cancelled() => return Ok(Next::Ended),
            Got::Ended => {
                let trouble = decoder.trouble();
                return Ok(self.lost(trouble));
            }
        }
        self.delivered = true;
        let now_ms = self.clock.now_ms();
        if self.seq > 0 && now_ms < self.last_ms - SET_BACK_MS {
            // The clock was set: what follows is another time, and one frame the price.
            self.last_ms = now_ms;
            return Ok(Next::Cut);
        }
        // Small corrections go unseen: within a cut a camera's time only rises.
        self.last_ms = now_ms.max(self.last_ms + 1);
        frame.at_ms = self.last_ms;
        // Movement is measured by a clock that nobody sets.
        frame.at_s = self.first.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        frame.seq = self.seq;
        self.seq += 1;
        Ok(Next::Frame)
    }
}
