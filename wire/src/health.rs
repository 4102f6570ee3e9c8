//! How a device is: its retained state (also its last will) and its periodic health.

use crate::{BootId, CameraId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Connected and working.
    Online,
    /// The broker lost it: its last will.
    Offline,
    /// Stopped by a person or by the end of its work.
    Stopped,
}

/// Retained on `state`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// Whether it is there.
    pub status: DeviceStatus,
    /// Its current start.
    pub boot: BootId,
    /// Version of the software.
    pub version: String,
    /// Model by job, as `embedding` -> `dlib-resnet`.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// Version of the watchlist bundle in force, 0 for none.
    #[serde(default)]
    pub bundle_version: u64,
    /// When it was written. Of a last will: when the connection was made.
    pub at_ms: UnixMs,
}

/// How one camera is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum CameraStatus {
    /// Being opened for the first time.
    Starting,
    /// Frames arrive.
    Live,
    /// No frames, or none that can be worked on; being reopened.
    Degraded {
        /// What is wrong.
        reason: Trouble,
    },
    /// A file that was played to its end.
    Ended,
}

/// What is wrong with a camera or a device: a code, so that a page names it in the language of whoever reads it, and so that no address
/// and no password of a camera can travel in it. A reader keeps codes that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// Nobody answers at its address.
    Unreachable,
    /// It refuses the user or the password.
    WrongPassword,
    /// It has no stream of that name.
    NoSuchStream,
    /// It is connected and sends no picture.
    NoFrames,
    /// It shows the same picture again and again.
    Frozen,
    /// What it sends cannot be decoded.
    BadStream,
    /// It ended the stream.
    StreamEnded,
    /// The file to play is not there or cannot be read.
    BadFile,
    /// The USB camera cannot be opened.
    NoUsb,
    /// The decoder is not installed or cannot be started.
    NoDecoder,
    /// A model failed on its pictures.
    ModelFailed,
    /// The disk takes no decisions: the camera waits.
    DiskRefuses,
    /// A stage made no progress and was restarted a moment ago.
    Restarted,
    /// Stages make no progress again and again, however often they are restarted.
    Hangs,
    /// A code of another version.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "nobody answers at its address; check the cable and the address",
            Self::WrongPassword => "it refuses the user or the password; check both",
            Self::NoSuchStream => "it has no stream of that name; check the path in its address",
            Self::NoFrames => "it sends no picture; start it anew",
            Self::Frozen => "it shows the same picture again and again; start it anew and look at its lens",
            Self::BadStream => "what it sends cannot be decoded; check its coding",
            Self::StreamEnded => "it ended the stream",
            Self::BadFile => "the file to play is not there or cannot be read; check its name",
            Self::NoUsb => "the USB camera cannot be opened; check its plug",
            Self::NoDecoder => "the decoder cannot be started; install the package ffmpeg",
            Self::ModelFailed => "a model failed on its pictures; look at the log of the device",
            Self::DiskRefuses => "the disk takes no decisions; make room or replace it",
            Self::Restarted => "a stage of it hung and was restarted; if it comes again, look at the log of the device",
            Self::Hangs => "it hangs again and again; look at the log of the device",
            Self::Other(code) => code,
        })
    }
}

/// Time spent in one stage since the last health message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageTime {
    /// How often.
    pub runs: u64,
    /// Mean milliseconds a run.
    pub mean_ms: f32,
}

/// One camera in a health message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CameraHealth {
    /// The camera.
    pub camera: CameraId,
    /// How it is.
    #[serde(flatten)]
    pub status: CameraStatus,
    /// Frames taken in since the last message.
    pub frames: u64,
    /// Frames replaced by a newer one before anybody looked.
    pub frames_replaced: u64,
    /// Frames left out on purpose since the last message: the device has more to do than it can, and this camera is
    /// among those of the lowest priority.
    #[serde(default)]
    pub shed: u64,
    /// Counters by name: detections skipped, shots refused by reason, crops dropped.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// Time by stage.
    #[serde(default)]
    pub stages: BTreeMap<String, StageTime>,
}

/// What the outbox holds and what it gave up because it was full. Figures of losses are since the outbox was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OutboxHealth {
    /// What it holds.
    pub bytes: u64,
    /// What it may hold.
    pub limit_bytes: u64,
    /// Pictures of alerts that were given up.
    pub evidence_dropped: u64,
    /// Crossings of which only the minute's count is left.
    pub crossings_folded: u64,
    /// Recognitions and plates that were given up.
    pub events_dropped: u64,
    /// Minutes of which only the running totals are left.
    pub counts_folded: u64,
    /// Alerts that were given up.
    pub alerts_dropped: u64,
}

/// On `health`, QoS 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// The start of the device.
    pub boot: BootId,
    /// When it was written.
    pub at_ms: UnixMs,
    /// The device does not know what time it is: it has no battery for its clock, and no network has told it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_unsure: bool,
    /// What is wrong with the device as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// Stages that made no progress and were restarted, since the start of the device.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub restarts: u64,
    /// Every camera of the device.
    pub cameras: Vec<CameraHealth>,
    /// Messages in the outbox that central has not acknowledged.
    pub outbox_depth: u64,
    /// The outbox more closely; older devices do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<OutboxHealth>,
    /// Free space where the outbox lies, MiB.
    pub disk_free_mib: u64,
    /// Resident memory, MiB.
    pub rss_mib: u64,
}

fn is_nought(number: &u64) -> bool {
    *number == 0
}
