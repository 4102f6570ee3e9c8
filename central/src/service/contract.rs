//! What the page and other programs are told, as JSON. Invariant: fields are added, never renamed or removed;
//! `docs/ref/openapi.json` is the published form and a test holds it to these types.

use crate::domain::Names;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use vong_wire::{
    CameraId, DeviceId, EntryId, EventId, LineId, ListId, PlateMatch, Severity, SiteId, UnixMs, ViewHeader,
};

/// Everything the first page shows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Overview {
    /// The office's clock, ms since 1970 UTC.
    pub now_ms: UnixMs,
    /// Minutes that local time is ahead of UTC.
    pub tz_offset_min: i64,
    /// Devices by site.
    pub devices: Vec<Device>,
    /// Gates by site, with the headcount of the local day.
    pub gates: Vec<Gate>,
    /// The newest 50 alerts, newest first.
    pub alerts: Vec<Alert>,
    /// Messages that could not be understood, ever.
    pub quarantine: u64,
}

/// Whether a device is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// Connected and working.
    Online,
    /// The broker lost it.
    Offline,
    /// Stopped by a person or by the end of its work.
    Stopped,
    /// Never heard of.
    Never,
}

/// An edge appliance.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Device {
    /// Its site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// Name of the site.
    pub site_name: Names,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// Its name.
    pub name: Names,
    /// False: it announced itself and nobody has entered it.
    pub known: bool,
    /// Whether it is there.
    pub status: DeviceStatus,
    /// Since when.
    pub since_ms: UnixMs,
    /// Its software.
    pub version: String,
    /// Model by job.
    pub models: BTreeMap<String, String>,
    /// Version of the watchlists in force there.
    pub bundle_version: u64,
    /// Messages that wait there for this office.
    pub outbox_depth: Option<u64>,
    /// It does not know what time it is.
    pub clock_unsure: bool,
    /// What is wrong with it as a whole: a code as those of cameras.
    pub trouble: Option<String>,
    /// Stages that hung and were restarted, since its start.
    pub restarts: u64,
    /// Its cameras.
    pub cameras: Vec<Camera>,
}

/// How a camera is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CameraStatus {
    /// Being opened for the first time.
    Starting,
    /// Frames arrive.
    Live,
    /// No frames; being reopened.
    Degraded,
    /// A file that was played to its end.
    Ended,
    /// Its device is away or has not told yet.
    Unknown,
}

/// A camera.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Camera {
    /// The camera.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// Its name.
    pub name: Names,
    /// How it is.
    pub status: CameraStatus,
    /// What is wrong, where it is degraded: a code as `no_frames`, `wrong_password`; `other` for one not known here.
    pub reason: Option<String>,
    /// Frames a second between the last two health messages.
    pub fps: Option<f32>,
    /// Frames left out on purpose between the last two health messages: the device has more to do than it can.
    pub shed: u64,
    /// Its latest picture.
    pub view_url: Option<String>,
    /// Boxes and lines of that picture, in shares of its width and height.
    #[schema(value_type = Option<Object>)]
    pub view: Option<ViewHeader>,
    /// Its counting lines.
    pub lines: Vec<LineCount>,
}

/// A counting line with the headcount of the local day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LineCount {
    /// The line.
    #[schema(value_type = String)]
    pub line: LineId,
    /// Its name.
    pub name: Names,
    /// Inward since local midnight.
    pub in_today: u64,
    /// Outward since local midnight.
    pub out_today: u64,
}

/// A gate with the headcount of the local day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Gate {
    /// Its site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The gate.
    pub gate: String,
    /// Its name.
    pub name: Names,
    /// Inward since local midnight, by the time of the pictures.
    pub in_today: u64,
    /// Outward since local midnight.
    pub out_today: u64,
    /// One standard deviation of the truth about `in_today`, from the minutes told so far; none where one came without.
    pub in_sd_today: Option<f64>,
    /// Likewise about `out_today`.
    pub out_sd_today: Option<f64>,
    /// Share of the day so far in which its cameras delivered frames, 0 to 1; none before the first full minute.
    pub coverage_today: Option<f64>,
}

/// A named list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertList {
    /// The list.
    #[schema(value_type = String)]
    pub id: ListId,
    /// Its name.
    pub name: Names,
}

/// A named entry of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertEntry {
    /// The entry.
    #[schema(value_type = String)]
    pub id: EntryId,
    /// What an operator reads.
    pub label: Names,
}

/// Why an alert was raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A face of a list.
    Face,
    /// A plate of a list.
    Plate,
}

/// A hit on a watchlist.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Alert {
    /// The alert.
    #[schema(value_type = String, format = Uuid)]
    pub id: EventId,
    /// When the picture was taken.
    pub at_ms: UnixMs,
    /// When the office received it.
    pub received_ms: UnixMs,
    /// The site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// Name of the site.
    pub site_name: Names,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The camera.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// Name of the camera.
    pub camera_name: Names,
    /// `alarm` needs a response, `notice` does not.
    #[schema(value_type = String, example = "alarm")]
    pub severity: Severity,
    /// The list was an exercise when the alert came.
    pub exercise: bool,
    /// False: it came so late that it raises no alarm.
    pub live: bool,
    /// It was sent again or late.
    pub replayed: bool,
    /// Why.
    pub cause: AlertKind,
    /// The list.
    pub list: AlertList,
    /// The entry of the list.
    pub entry: AlertEntry,
    /// Of a face: cosine similarity to the entry.
    pub similarity: Option<f32>,
    /// Of a face: the list's threshold.
    pub threshold: Option<f32>,
    /// Of a plate: what was read, normal form.
    pub plate: Option<String>,
    /// Of a plate: `exact`, or `near` by the reader's confusions.
    #[serde(rename = "match")]
    #[schema(value_type = Option<String>, example = "exact")]
    pub matched: Option<PlateMatch>,
    /// The picture, once it has come and while it is kept.
    pub evidence_url: Option<String>,
    /// The entry's photograph, where there is one.
    pub photo_url: Option<String>,
}

/// A stored event: the message of the device with who sent it and when it was stored.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StoredEvent {
    /// The site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// When the office received it.
    pub received_ms: UnixMs,
    /// When it was committed.
    pub stored_ms: UnixMs,
    /// `id`, `seq`, `boot`, `camera`, `camera_time_ms`, `sent_ms`, `replayed`, `kind` and what belongs to the kind.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub event: vong_wire::Event,
}

/// A minute of a line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Minute {
    /// The site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The camera.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// The line.
    #[schema(value_type = String)]
    pub line: LineId,
    /// The gate that it counts for.
    pub gate: Option<String>,
    /// Start of the minute.
    pub minute_ms: UnixMs,
    /// Inward.
    #[serde(rename = "in")]
    pub entered: u64,
    /// Outward.
    #[serde(rename = "out")]
    pub departed: u64,
    /// Share of the minute in which the camera delivered frames, 0 to 1.
    pub coverage: f64,
    /// One standard deviation of the truth about `in`; none where the device told none.
    pub in_sd: Option<f64>,
    /// Likewise about `out`.
    pub out_sd: Option<f64>,
}

/// A message that could not be understood.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Quarantined {
    /// When it came.
    pub received_ms: UnixMs,
    /// Its topic.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
    /// Its length.
    pub bytes: u64,
    /// Its beginning as text, at most 2,000 characters; what is no text is shown as U+FFFD.
    pub head: String,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Stats {
    /// Events stored.
    pub events: u64,
    /// Alerts stored.
    pub alerts: u64,
    /// Minutes of lines stored.
    pub counts: u64,
    /// Pictures of alerts that came.
    pub evidence: u64,
    /// Messages that could not be understood, ever.
    pub quarantined: u64,
    /// Messages that came again and changed nothing, ever.
    pub doubled: u64,
    /// Times that a slow reader of the live feed was told to reload, since the start.
    pub sse_lagged: u64,
}

/// On the live feed: a line moved.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CountMoved {
    /// The site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The camera.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// The line.
    #[schema(value_type = String)]
    pub line: LineId,
    /// Inward since local midnight.
    pub in_today: u64,
    /// Outward since local midnight.
    pub out_today: u64,
    /// The gate that it counts for.
    pub gate: Option<String>,
    /// Inward at that gate since local midnight.
    pub gate_in: Option<u64>,
    /// Outward at that gate since local midnight.
    pub gate_out: Option<u64>,
}

/// On the live feed: a newer picture of a camera.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ViewMoved {
    /// The site.
    #[schema(value_type = String)]
    pub site: SiteId,
    /// The device.
    #[schema(value_type = String)]
    pub device: DeviceId,
    /// The camera.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// The picture.
    pub view_url: String,
    /// Its boxes and lines.
    #[schema(value_type = Object)]
    pub view: ViewHeader,
}

/// On the live feed: the picture of an alert has come.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EvidenceCame {
    /// The alert.
    #[schema(value_type = String, format = Uuid)]
    pub alert: EventId,
    /// The picture.
    pub evidence_url: String,
}
