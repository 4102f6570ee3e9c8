//! How a device is: its retained state (also its last will) and its periodic health.

use crate::{BootId, CameraId, UnixMs};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// No frames; being reopened.
    Degraded {
        /// What is wrong and what to do, for people, without passwords.
        reason: String,
    },
    /// A file that was played to its end.
    Ended,
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
