//! What goes into the store and comes out of it.

use crate::domain::{LineKey, LocalDay};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;
use vong_wire::{Alert, Count, DeviceId, DeviceStatus, EntryId, Event, EventId, ListId, SiteId, State, UnixMs};

/// Who sent a message, and when it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// When the message was taken from the broker.
    pub received_ms: UnixMs,
}

/// A replayed event that is older than this is stored, but told to nobody as if it happened now.
const NEWS_FOR_MS: UnixMs = 60_000;

impl Origin {
    /// Whether an event that came from here is news: it happened just now, or was not sent late.
    pub fn is_news(&self, event: &Event) -> bool {
        !event.replayed || self.received_ms - event.camera_time_ms <= NEWS_FOR_MS
    }
}

/// One thing to keep.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An event.
    Event(Origin, Event),
    /// An alert, and whether it is fresh enough to be an alarm.
    Alert(Origin, Alert, bool),
    /// A minute of a line.
    Count(Origin, Count),
    /// The picture of an alert, already on the disk.
    Evidence(Origin, EvidenceRow),
    /// What a device says of itself.
    State(Origin, State),
    /// A message that cannot be understood.
    Quarantine(QuarantineRow),
}

/// Records to keep, all or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// When they are written.
    pub stored_ms: UnixMs,
    /// The records, in the order in which they came.
    pub records: Vec<Record>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there before.
    New,
    /// It was there; nothing changed.
    Double,
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Committed {
    /// One a record, in their order.
    pub outcomes: Vec<Outcome>,
    /// Days of lines that moved, as they stand now.
    pub tallies: Vec<Tally>,
    /// Devices, cameras or lines that nobody had entered and that are now in the directory, as `site/device/camera`.
    pub registered: Vec<String>,
}

/// What another process committed to the same database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// Which process.
    pub teller: Uuid,
    /// New alerts.
    pub alerts: Vec<EventId>,
    /// Alerts whose pictures came.
    pub evidence: Vec<EventId>,
    /// New events that happened just now.
    pub events: Vec<EventId>,
    /// Something is in the directory that was not.
    pub registered: bool,
    /// Lines moved today.
    pub moved: bool,
}

impl News {
    /// Whether there is anything in it.
    pub fn says_something(&self) -> bool {
        let ids = [&self.alerts, &self.evidence, &self.events];
        self.registered || self.moved || ids.iter().any(|ids| !ids.is_empty())
    }
}

/// What is heard of other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// One committed something.
    News(News),
    /// Listening began, perhaps not for the first time: what was committed before may have been missed.
    Again,
}

/// Crossings of a line on a local day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The line.
    pub key: LineKey,
    /// The day.
    pub day: LocalDay,
    /// Inward.
    pub entered: u64,
    /// Outward.
    pub departed: u64,
}

/// A page of a long list, newest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Rows at most.
    pub limit: u32,
    /// Only what is older than this one.
    pub before: Option<EventId>,
    /// Only of this kind: `crossing`, `recognition`, `plate`.
    pub kind: Option<String>,
    /// Only of this site.
    pub site: Option<SiteId>,
}

/// A device with what it said of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceRow {
    /// The site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// None: it was never heard of.
    pub status: Option<DeviceStatus>,
    /// Since when.
    pub since_ms: UnixMs,
    /// When it was heard of first.
    pub first_seen_ms: Option<UnixMs>,
    /// Its software.
    pub version: String,
    /// Model by job.
    pub models: BTreeMap<String, String>,
    /// Version of the watchlists in force there.
    pub bundle_version: u64,
}

/// A stored alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// Who sent it.
    pub origin: Origin,
    /// When it was written.
    pub stored_ms: UnixMs,
    /// The message.
    pub alert: Alert,
    /// Fresh enough to be an alarm when it came.
    pub live: bool,
    /// Its list was an exercise when it came.
    pub exercise: bool,
    /// Its picture is there.
    pub has_picture: bool,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Who sent it.
    pub origin: Origin,
    /// When it was written.
    pub stored_ms: UnixMs,
    /// The message.
    pub event: Event,
}

/// A stored minute, of all starts of the device together.
#[derive(Debug, Clone, PartialEq)]
pub struct CountRow {
    /// The line.
    pub key: LineKey,
    /// Start of the minute.
    pub minute_ms: UnixMs,
    /// Inward.
    pub entered: u64,
    /// Outward.
    pub departed: u64,
    /// Share of the minute in which the camera delivered frames, 0 to 1.
    pub coverage: f64,
    /// How far from the truth.
    pub doubt: Variances,
}

/// Variances of the truth about two counts, inward and outward; none where a minute came without.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variances {
    /// Inward.
    pub entered: Option<f64>,
    /// Outward.
    pub departed: Option<f64>,
}

/// Minutes of a line with their coverage and their doubts summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraMinutes {
    /// The line.
    pub key: LineKey,
    /// Covered minutes: the sum of their coverage.
    pub covered: f64,
    /// How far the sum of their counts may be from the truth: what one minute errs is no news of another, so variances add.
    pub doubt: Variances,
}

/// The picture of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceRow {
    /// The alert.
    pub alert: EventId,
    /// Path below the evidence folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
}

/// A message that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// When it came.
    pub received_ms: UnixMs,
    /// Its topic, cut to 200 characters.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
    /// Its beginning.
    pub head: Vec<u8>,
    /// Its whole length.
    pub bytes: u64,
}

/// The embedding of a face.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceVector {
    /// The model that made it.
    pub model: String,
    /// Unit vector.
    pub vector: Vec<f32>,
}

/// A photograph of a list's entry and what was made of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotographRow {
    /// The list.
    pub list: ListId,
    /// The entry.
    pub entry: EntryId,
    /// Its place among the entry's photographs, from 0.
    pub place: u32,
    /// Where it lies, as the seed file writes it.
    pub source: String,
    /// Hash of the file when it was last read.
    pub sha256: Option<String>,
    /// What the model made of it.
    pub face: Option<FaceVector>,
    /// Why it is unusable.
    pub fault: Option<String>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Alerts.
    pub alerts: u64,
    /// Minutes of lines.
    pub counts: u64,
    /// Pictures of alerts.
    pub evidence: u64,
    /// Messages that ever went into quarantine.
    pub quarantined: u64,
    /// Messages that came again.
    pub doubled: u64,
}

/// Somebody looked at personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRow {
    /// When.
    pub at_ms: UnixMs,
    /// Who.
    pub who: String,
    /// What was looked at: `evidence`, `photo`, `alerts`, `events`, `live`.
    pub what: String,
    /// Whose: the id of the alert or entry, or how many.
    pub subject: String,
}
