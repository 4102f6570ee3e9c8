//! What ffmpeg writes to its standard error: one line a frame with its size and time, and complaints. Invariant: no
//! password leaves this file. Knows text only.

use super::yuv::Coding;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use vong_wire::Trouble;

/// What is known of a frame before its pixels come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Head {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Place in the stream, s; not known for some streams.
    pub(super) pts_s: Option<f64>,
    pub(super) coding: Coding,
}

/// The last complaints.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    lines: VecDeque<String>,
    duration_s: Option<f64>,
}

const KEPT_LINES: usize = 8;
const LINE_LIMIT: usize = 300;

impl Complaints {
    fn add(&mut self, line: String) {
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// What the lines mean, the last first.
    pub(super) fn trouble(&self) -> Trouble {
        let mut meanings = self.lines.iter().rev().filter_map(|line| meaning(line));
        meanings.next().unwrap_or(Trouble::StreamEnded)
    }

    /// The last line, which says most.
    pub(super) fn last(&self) -> Option<String> {
        self.lines.back().cloned()
    }

    /// How long the file's header says that it is, s.
    pub(super) fn duration_s(&self) -> Option<f64> {
        self.duration_s
    }
}

/// Frames that may be told before their pixels are taken, without more memory.
const HEADS: usize = 256;
/// A line without end must not fill the memory.
const LINE_BYTES: usize = 16 * 1024;

/// Listens to the child whenever it is asked to: one who waits for every word is woken a dozen times a frame.
#[derive(Debug)]
pub(super) struct Listener<R> {
    stderr: BufReader<R>,
    secret: Option<String>,
    line: Vec<u8>,
    coding: Coding,
    /// What was said besides.
    pub(super) complaints: Complaints,
    /// Frames that were told and not yet taken.
    pub(super) heads: VecDeque<Head>,
}

impl<R: Read> Listener<R> {
    /// Nothing heard yet. Reading from `stderr` must never wait.
    pub(super) fn new(stderr: R, secret: Option<String>) -> Self {
        Self {
            stderr: BufReader::new(stderr),
            secret,
            complaints: Complaints::default(),
            line: Vec::with_capacity(LINE_LIMIT),
            coding: Coding::default(),
            heads: VecDeque::with_capacity(HEADS),
        }
    }

    /// Where it is said.
    pub(super) fn stderr(&self) -> &R {
        self.stderr.get_ref()
    }

    /// Takes in what has been said; false once nothing more can come.
    pub(super) fn listen(&mut self) -> bool {
        loop {
            let room = (LINE_BYTES - self.line.len()) as u64;
            match (&mut self.stderr).take(room).read_until(b'\n', &mut self.line) {
                Ok(0) if self.line.is_empty() => return false,
                Ok(_) => {
                    self.hear();
                    self.line.clear();
                }
                Err(trouble) => return trouble.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    fn hear(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim();
        if let Some(told) = coding_of(line) {
            // It stands behind the frame that it belongs to; only a stream's first frame is taken for the usual one.
            self.coding = told;
        } else if let Some(head) = head_of(line) {
            self.heads.push_back(Head {
                coding: self.coding,
                ..head
            });
        } else if let Some(duration_s) = duration_of(line) {
            self.complaints.duration_s = Some(duration_s);
        } else if is_complaint(line) {
            let masked = masked(line, self.secret.as_deref());
            self.complaints.add(masked.chars().take(LINE_LIMIT).collect());
        }
    }
}

/// Reads a line of the filter `showinfo`:
/// `[Parsed_showinfo_1 @ 0x..] [info] n: 3 pts: 1536 pts_time:0.12 ... s:640x480 ...`
fn head_of(line: &str) -> Option<Head> {
    let (_, info) = line.strip_prefix("[Parsed_showinfo")?.split_once("] n:")?;
    let mut size = None;
    let mut pts_s = None;
    for word in info.split_ascii_whitespace() {
        if let Some(text) = word.strip_prefix("s:") {
            let (width, height) = text.split_once('x')?;
            size = Some((width.parse().ok()?, height.parse().ok()?));
        } else if let Some(text) = word.strip_prefix("pts_time:") {
            pts_s = text.parse().ok();
        }
    }
    let (width, height) = size?;
    let coding = Coding::default();
    Some(Head {
        width,
        height,
        pts_s,
        coding,
    })
}

/// Reads the line in which ffmpeg tells how long its input is: `[info]   Duration: 00:01:00.04, start: ...`
fn duration_of(line: &str) -> Option<f64> {
    let (_, told) = line.split_once("] ")?;
    let (time, _) = told.trim_start().strip_prefix("Duration: ")?.split_once(',')?;
    seconds_of_clock(time)
}

/// Seconds of a time as `00:01:07.16`.
pub(super) fn seconds_of_clock(time: &str) -> Option<f64> {
    let mut parts = time.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    Some((next()? * 60.0 + next()?) * 60.0 + next()?)
}

/// Reads the line in which `showinfo` tells how colours are coded.
fn coding_of(line: &str) -> Option<Coding> {
    let (_, info) = line.strip_prefix("[Parsed_showinfo")?.split_once("color_range:")?;
    Some(Coding {
        full: info.starts_with("pc"),
        hd: info.contains("color_space:bt709"),
    })
}

/// Everything that ffmpeg says at the level "error" and above, which is marked by `-loglevel level+info`.
fn is_complaint(line: &str) -> bool {
    line.contains("[error]") || line.contains("[fatal]") || line.contains("[panic]")
}

/// A line for people: without level and address of the part that speaks, and without the password.
fn masked(line: &str, secret: Option<&str>) -> String {
    let mut text = line.to_owned();
    for level in ["[error] ", "[fatal] ", "[panic] "] {
        text = text.replace(level, "");
    }
    if let Some((before, after)) = text.split_once(" @ 0x")
        && let Some((_, rest)) = after.split_once("] ")
    {
        text = format!("{}: {rest}", before.trim_start_matches('['));
    }
    match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, "***"),
        _ => text,
    }
}

/// What a complaint of ffmpeg means, where it tells why there are no pictures.
fn meaning(line: &str) -> Option<Trouble> {
    let says = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if says(&[
        "401 Unauthorized",
        "403 Forbidden",
        "authorization failed",
        "access denied",
    ]) {
        Some(Trouble::WrongPassword)
    } else if says(&["404 Not Found", "454 Session", "404 Stream"]) {
        Some(Trouble::NoSuchStream)
    } else if says(&[
        "Connection refused",
        "timed out",
        "No route to host",
        "Network is unreachable",
        "Failed to resolve",
        "Name or service not known",
    ]) {
        Some(Trouble::Unreachable)
    } else if says(&[
        "Invalid data found",
        "could not find codec",
        "Could not find codec",
        "matches no streams",
    ]) {
        Some(Trouble::BadStream)
    } else {
        None
    }
}

/// User and password of an address, as written in it.
pub(super) fn secret_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (secret, _) = authority.rsplit_once('@')?;
    Some(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_showinfo_is_read() {
        let line = "[Parsed_showinfo_1 @ 0x55b5] [info] n:  12 pts:   6144 pts_time:0.48    pos:   155239 fmt:rgb24 sar:1/1 \
                    s:640x480 i:P iskey:1 type:I";
        assert_eq!(
            head_of(line),
            Some(Head {
                width: 640,
                height: 480,
                pts_s: Some(0.48),
                coding: Coding::default(),
            })
        );
        let colours = "[Parsed_showinfo_1 @ 0x55b5] [info] color_range:pc color_space:bt709 color_primaries:bt709";
        assert_eq!(coding_of(colours), Some(Coding { full: true, hd: true }));
        assert_eq!(coding_of(line), None);
        for other in [
            "",
            "[Parsed_showinfo_1 @ 0x55b5] [info] color_range:pc",
            "[Parsed_showinfo_1 @ 0x55b5] [info] n: 1 pts: 0 s:ax3",
            "Stream #0:0: Video: mpeg4, 640x480",
        ] {
            assert_eq!(head_of(other), None, "{other:?}");
        }
    }

    /// Says a piece each time, and between them that there is nothing yet.
    struct Slow(VecDeque<Option<&'static [u8]>>);

    impl Read for Slow {
        fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
            match self.0.pop_front() {
                Some(Some(piece)) => {
                    room[..piece.len()].copy_from_slice(piece);
                    Ok(piece.len())
                }
                Some(None) => Err(ErrorKind::WouldBlock.into()),
                None => Ok(0),
            }
        }
    }

    #[test]
    fn a_line_may_come_in_pieces_and_the_last_one_without_an_end() {
        let pieces: [Option<&[u8]>; 6] = [
            Some(b"[Parsed_showinfo_1 @ 0x5] [info] n: 0 pts"),
            None,
            Some(b"_time:0.5 s:64x48 i:P\n[Parsed_showinfo_1 @ 0x5] [info] color_range:pc\n[Parsed"),
            None,
            Some(b"_showinfo_1 @ 0x5] [info] n: 1 s:64x48\n"),
            Some(b"[error] it is broken"),
        ];
        let mut listener = Listener::new(Slow(pieces.into()), None);
        assert!(listener.listen() && listener.heads.is_empty());
        assert!(listener.listen());
        assert_eq!(listener.heads.pop_front().and_then(|head| head.pts_s), Some(0.5));
        assert!(!listener.listen());
        assert!(listener.heads.pop_front().is_some_and(|head| head.coding.full));
        assert_eq!(listener.complaints.last().as_deref(), Some("it is broken"));
    }

    #[test]
    fn the_length_of_a_file_is_read() {
        let length = duration_of("[info]   Duration: 01:02:03.50, start: 0.000000, bitrate: 868 kb/s");
        assert_eq!(length, Some(3723.5));
        assert_eq!(
            duration_of("[info]   Duration: N/A, start: 0.000000, bitrate: N/A"),
            None
        );
        assert_eq!(duration_of("Stream #0:0: Video: mpeg4, 640x480"), None);
    }

    #[test]
    fn complaints_are_understood_the_last_first() {
        let check = |lines: &[&str], trouble: Trouble| {
            let mut complaints = Complaints::default();
            lines.iter().for_each(|line| complaints.add((*line).into()));
            assert_eq!(complaints.trouble(), trouble, "{lines:?}");
        };
        check(&[], Trouble::StreamEnded);
        check(
            &["rtsp: method DESCRIBE failed: 401 Unauthorized"],
            Trouble::WrongPassword,
        );
        check(
            &[
                "rtsp: method DESCRIBE failed: 404 Not Found",
                "rtsp://x/y: Server returned 404 Not Found",
            ],
            Trouble::NoSuchStream,
        );
        check(
            &["tcp: Connection to tcp://127.0.0.1:9 failed: Connection refused"],
            Trouble::Unreachable,
        );
        check(
            &[
                "h264: error while decoding MB 3 4",
                "rtsp://x: Invalid data found when processing input",
            ],
            Trouble::BadStream,
        );
        check(&["mpeg2video: ac-tex damaged at 3 4"], Trouble::StreamEnded);
    }

    #[test]
    fn passwords_are_masked() {
        let url = "rtsp://admin:s3cret@10.0.0.7:554/stream?x=a@b";
        let secret = secret_of(url);
        assert_eq!(secret.as_deref(), Some("admin:s3cret"));
        let said = masked(
            &format!("[rtsp @ 0x55aa] [error] method DESCRIBE failed for {url}"),
            secret.as_deref(),
        );
        assert_eq!(
            said,
            "rtsp: method DESCRIBE failed for rtsp://***@10.0.0.7:554/stream?x=a@b"
        );
        assert_eq!(secret_of("rtsp://10.0.0.7/stream"), None);
        assert_eq!(secret_of("gate.mp4"), None);
    }
}
