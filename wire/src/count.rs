//! Counts: per camera, line and minute, with running totals, so that a lost or doubled message never makes a total
//! wrong. De-identified by construction: nothing of a person leaves the site in a count.

use crate::{BootId, CameraId, LineId, UnixMs};
use serde::{Deserialize, Serialize};

const MINUTE_MS: UnixMs = 60_000;

/// The minute as which one is told that began, by a mended clock, at this time: the last whole one before. The one in which
/// it began may be told by the same device again, once its clock is known, and of two the second stands in the place of the first.
pub fn mended_minute(began_ms: UnixMs) -> UnixMs {
    (began_ms.div_euclid(MINUTE_MS) - 1) * MINUTE_MS
}

/// One minute of one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// Number in the device's outbox.
    pub seq: u64,
    /// The start of the device.
    pub boot: BootId,
    /// The camera.
    pub camera: CameraId,
    /// The line.
    pub line: LineId,
    /// Start of the minute.
    pub minute_ms: UnixMs,
    /// Crossings inward in this minute.
    #[serde(rename = "in")]
    pub entered: u32,
    /// Crossings outward in this minute.
    #[serde(rename = "out")]
    pub left: u32,
    /// When the running totals began at nought: they never shrink within an epoch.
    pub epoch_ms: UnixMs,
    /// Crossings inward since the epoch.
    pub total_in: u64,
    /// Crossings outward since the epoch.
    pub total_out: u64,
    /// Share of the minute in which the camera really delivered frames, 0 to 1.
    pub coverage: f32,
    /// One standard deviation of the truth about `in`; absent from devices that do not tell it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_sd: Option<f32>,
    /// One standard deviation of the truth about `out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_sd: Option<f32>,
    /// When this copy was handed to the broker.
    pub sent_ms: UnixMs,
}
