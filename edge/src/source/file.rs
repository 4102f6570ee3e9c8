//! Pictures of a video file. Invariant: every frame of the file is handed over, in order, or the source ends in an
//! error: a figure measured on half a file would look like one measured on the whole.

use super::child::{Decoder, Got, wait};
use super::stderr::seconds_of_clock;
use super::{Frame, Next, Source, SourceError, SourceOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use vong_wire::UnixMs;

/// How fast a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As fast as its frames are taken.
    #[default]
    AsTaken,
    /// At its own speed, like a camera.
    OwnSpeed,
}

/// How a file is to be played.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// How fast.
    pub pace: Pace,
    /// Begin again at the end, for ever.
    pub repeat: bool,
    /// Time of the first frame.
    pub start_ms: UnixMs,
    /// Size, rate, stop.
    pub source: SourceOptions,
}

/// A decoder that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Frame time where a file does not tell, s.
const GUESSED_FRAME_S: f64 = 0.04;
/// Headers count a frame or two that are never shown.
const MISSING_ALLOWED: u64 = 2;
/// A file that tells only its length tells that of its sound too, which may go on a little without pictures: so long, or so
/// much of it.
const SOUND_ALLOWED: (f64, f64) = (2.0, 0.02);
/// Where it tells the length of its pictures, so much may be missing.
const PICTURES_ALLOWED_S: f64 = 0.5;

/// A video file.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    options: FileOptions,
    decoder: Option<Decoder>,
    seq: u64,
    /// Frames of this round through the file.
    frames: u64,
    /// Place of the round's first frame in the stream and, on the outside, since the very first frame, s.
    round: (f64, f64),
    at_s: f64,
    frame_s: f64,
    began: Option<Instant>,
}

impl FileSource {
    /// Looks at the file and starts decoding it.
    ///
    /// # Errors
    /// When there is no such file, it is empty, or ffmpeg is not installed. What is inside shows when it is read.
    pub fn open(path: &Path, options: FileOptions) -> Result<Self, SourceError> {
        let missing = || SourceError::Missing { path: path.to_owned() };
        let found = std::fs::metadata(path).map_err(|_| missing())?;
        let no_video = |what| SourceError::NoVideo {
            path: path.to_owned(),
            what,
        };
        if found.is_dir() {
            return Err(no_video("a folder"));
        }
        if found.is_file() && found.len() == 0 {
            return Err(no_video("empty"));
        }
        let mut source = Self {
            path: path.to_owned(),
            options,
            decoder: None,
            seq: 0,
            frames: 0,
            round: (0.0, 0.0),
            at_s: 0.0,
            frame_s: GUESSED_FRAME_S,
            began: None,
        };
        source.decoder = Some(source.start()?);
        Ok(source)
    }

    fn start(&self) -> Result<Decoder, SourceError> {
        // The prefix keeps a name like `concat:..` or `-x.mp4` from being anything but a file.
        Decoder::start(&[], &format!("file:{}", self.path.display()), &self.options.source)
    }

    /// Takes the time of a frame from its place in the stream.
    fn clock_in(&mut self, pts_s: Option<f64>) {
        let before = self.at_s;
        if self.frames == 0 {
            self.round.0 = pts_s.unwrap_or(0.0);
            self.round.1 = if self.seq == 0 { 0.0 } else { before + self.frame_s };
            self.at_s = self.round.1;
        } else {
            let told = pts_s.map(|pts_s| pts_s - self.round.0 + self.round.1);
            self.at_s = told.filter(|told| *told > before).unwrap_or(before + self.frame_s);
            if told == Some(self.at_s) {
                self.frame_s = (self.at_s - before).min(1.0);
            }
        }
    }

    /// Whether as much came as the header promises.
    fn is_whole(&self, announced: Announced) -> Result<(), SourceError> {
        let path = self.path.clone();
        match announced {
            Announced::Frames(announced) if self.frames + MISSING_ALLOWED.max(announced / 200) < announced => {
                Err(SourceError::Short {
                    path,
                    frames: self.frames,
                    announced,
                })
            }
            Announced::Seconds { announced, allowed } => {
                let came = self.at_s - self.round.1 + self.frame_s;
                let reason = format!(
                    "it is cut short: its {} frames end after {came:.1} of {announced:.1} s",
                    self.frames
                );
                match came + allowed < announced {
                    true => Err(SourceError::Unreadable { path, reason }),
                    false => Ok(()),
                }
            }
            Announced::Frames(_) | Announced::Nothing => Ok(()),
        }
    }

    /// Whether it is worth to ask how many frames there should be: the decoder complained, or the file played for less
    /// long than it says. With fewer frames a second than it has, nobody can tell.
    fn is_doubtful(&self, complained: bool, duration_s: Option<f64>) -> bool {
        let played_s = self.at_s - self.round.1 + self.frame_s;
        let allowed_s = self.frame_s * MISSING_ALLOWED as f64;
        let is_whole = duration_s.is_some_and(|duration_s| played_s >= duration_s - allowed_s.max(duration_s / 200.0));
        self.options.source.max_fps.is_none() && (complained || !is_whole)
    }

    fn ended(&mut self) -> Result<Next, SourceError> {
        let (mut last_words, mut duration_s) = (None, None);
        if let Some(mut decoder) = self.decoder.take() {
            last_words = decoder.last_words();
            duration_s = decoder.duration_s();
        }
        if self.options.source.stop.is_cancelled() {
            return Ok(Next::Ended);
        }
        if self.frames == 0 {
            let reason = last_words.unwrap_or_else(|| "there is no picture in it".into());
            return Err(SourceError::Unreadable {
                path: self.path.clone(),
                reason,
            });
        }
        if self.is_doubtful(last_words.is_some(), duration_s) {
            self.is_whole(Announced::of(&self.path))?;
        }
        if !self.options.repeat {
            return Ok(Next::Ended);
        }
        self.frames = 0;
        self.decoder = Some(self.start()?);
        Ok(Next::Cut)
    }
}

impl Source for FileSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next, SourceError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(Next::Ended);
        };
        let pts_s = match decoder.read(frame, PATIENCE) {
            Got::Frame(pts_s) => pts_s,
            Got::Ended => return self.ended(),
            Got::Stalled => {
                self.decoder = None;
                let reason = format!("no frame for {} s", PATIENCE.as_secs());
                return Err(SourceError::Unreadable {
                    path: self.path.clone(),
                    reason,
                });
            }
        };
        self.clock_in(pts_s);
        frame.at_s = self.at_s;
        frame.at_ms = self.options.start_ms + (self.at_s * 1e3).round() as UnixMs;
        frame.seq = self.seq;
        self.seq += 1;
        self.frames += 1;
        if self.options.pace == Pace::OwnSpeed {
            let began = *self.began.get_or_insert_with(Instant::now);
            if !wait(&self.options.source.stop, began + Duration::from_secs_f64(self.at_s)) {
                return Ok(Next::Ended);
            }
        }
        Ok(Next::Frame)
    }
}

/// What a file's header promises.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Announced {
    /// So many frames.
    Frames(u64),
    /// Only how long it lasts, and how much of that may be without pictures, s.
    Seconds { announced: f64, allowed: f64 },
    /// Nothing, as a stream that was written to a file.
    Nothing,
}

impl Announced {
    /// Of a file; nothing where it cannot be read, which shows soon enough.
    fn of(path: &Path) -> Self {
        let asked = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v:0"])
            .args([
                "-show_entries",
                "stream=nb_frames,start_time:stream_tags=DURATION:format=duration",
            ])
            .args(["-of", "default=noprint_wrappers=1"])
            .arg(format!("file:{}", path.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        asked.map_or(Self::Nothing, |answer| {
            Self::read(&String::from_utf8_lossy(&answer.stdout))
        })
    }

    fn read(answer: &str) -> Self {
        let told = |name: &str| answer.lines().find_map(|line| line.trim().strip_prefix(name));
        let seconds = |name| {
            let value = told(name)?.parse::<f64>().ok()?;
            value.is_finite().then_some(value)
        };
        if let Some(frames) = told("nb_frames=").and_then(|value| value.parse().ok()) {
            return Self::Frames(frames);
        }
        // Matroska's: when the last picture ends, counted from nought, wherever the first one stands.
        let end = told("TAG:DURATION=").and_then(seconds_of_clock);
        match (end, seconds("duration=")) {
            (Some(end), _) => Self::Seconds {
                announced: end - seconds("start_time=").unwrap_or(0.0).max(0.0),
                allowed: PICTURES_ALLOWED_S,
            },
            (None, Some(announced)) => Self::Seconds {
                announced,
                allowed: SOUND_ALLOWED.0.max(announced * SOUND_ALLOWED.1),
            },
            (None, None) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_promises_frames_or_a_length_or_nothing() {
        let seconds = |announced, allowed| Announced::Seconds { announced, allowed };
        for (answer, expected) in [
            ("nb_frames=179\nduration=7.160000\n", Announced::Frames(179)),
            ("nb_frames=N/A\nduration=7.5\n", seconds(7.5, 2.0)),
            ("nb_frames=N/A\nduration=200\n", seconds(200.0, 4.0)),
            (
                "start_time=100.000000\nnb_frames=N/A\nTAG:DURATION=00:01:47.250000000\nduration=109\n",
                seconds(7.25, 0.5),
            ),
            ("nb_frames=N/A\nduration=N/A\n", Announced::Nothing),
            ("nb_frames=-3\nduration=inf\n", Announced::Nothing),
            ("", Announced::Nothing),
        ] {
            assert_eq!(Announced::read(answer), expected, "{answer:?}");
        }
    }
}
