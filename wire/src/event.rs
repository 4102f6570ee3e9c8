//! Events and alerts: what the edge saw and decided. Each has an id that survives resending, a sequence number that
//! the acknowledgement names, and the time of the picture it rests on. Nothing here holds a name or a face.

use crate::{BootId, CameraId, EntryId, EventId, LineId, ListId, UnixMs};
use serde::{Deserialize, Serialize};

/// One thing that happened in front of a camera.
// It is read in `event_read.rs`, as quickly as central's ingest needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// The same for every sending of this event.
    pub id: EventId,
    /// Number in the device's outbox, rising by one; acknowledged by this number and the id.
    pub seq: u64,
    /// The start of the device during which this happened.
    pub boot: BootId,
    /// The camera that saw it.
    pub camera: CameraId,
    /// When the picture was taken.
    pub camera_time_ms: UnixMs,
    /// When this copy was handed to the broker.
    pub sent_ms: UnixMs,
    /// Sent again, or later than it happened because the link was away.
    #[serde(default)]
    pub replayed: bool,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// The kinds of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventBody {
    /// A track crossed a counting line.
    Crossing(Crossing),
    /// A face of a track matched an entry of a list.
    Recognition(Recognition),
    /// The plate of a vehicle was read.
    Plate(PlateSeen),
}

/// Which way a line was crossed. "In" is from the side where (p2-p1) x (p-p1) is negative to the side where it is
/// positive, y down: for the line 0,0.5 to 1,0.5 "in" is downward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Entering.
    In,
    /// Leaving.
    Out,
}

/// What kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ObjectClass {
    /// A human being.
    Person,
    /// A bicycle.
    Bicycle,
    /// A car or van.
    Car,
    /// A motorcycle or scooter.
    Motorcycle,
    /// A bus or coach.
    Bus,
    /// A lorry.
    Truck,
}

impl ObjectClass {
    /// Everything but a person.
    pub fn is_vehicle(self) -> bool {
        self != Self::Person
    }
}

/// A whole passage over a line; a track that dwells on the line or turns back makes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Crossing {
    /// The line.
    pub line: LineId,
    /// The way.
    pub direction: Direction,
    /// What crossed.
    pub class: ObjectClass,
    /// The track, unique within a start of the device and a camera.
    pub track: u64,
}

/// A person of a list was recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recognition {
    /// The track.
    pub track: u64,
    /// The list.
    pub list: ListId,
    /// The entry of the list.
    pub entry: EntryId,
    /// Version of the bundle that was searched.
    pub bundle_version: u64,
    /// Similarity of the track's fused embedding to the entry, cosine, -1 to 1.
    pub similarity: f32,
    /// The list's threshold at that time.
    pub threshold: f32,
    /// How many shots of the track voted for this entry.
    pub shots: u32,
}

/// Ground colour of a plate, with the letters' colour where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlateColour {
    /// White: private, foreign, diplomatic.
    White,
    /// Yellow: commercial transport.
    Yellow,
    /// Blue: state.
    Blue,
    /// Red: army.
    Red,
    /// Could not be told.
    Unknown,
}

/// The plate of a passing vehicle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlateSeen {
    /// The track, or the passage through the lane's region where no vehicle was detected.
    pub track: u64,
    /// Normal form: upper case, no separators, Đ kept, as `29MĐ112345`.
    pub plate: String,
    /// What the reader read, rows joined by a space.
    pub raw: String,
    /// Class by the grammar, as `car`, `motorcycle`, `diplomatic`, `army`.
    pub class: String,
    /// Ground colour.
    pub colour: PlateColour,
    /// Rows of the plate: 1 or 2.
    pub lines: u8,
    /// Confidence of the vote over the track, 0 to 1.
    pub confidence: f32,
    /// Readings that voted.
    pub readings: u32,
}

/// How urgent an alert is. A notice is no alarm (ISA-18.2: an alarm needs a response).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To know, not to act on.
    Notice,
    /// To act on.
    Alarm,
}

/// A hit on a watchlist. Sent before all else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alert {
    /// The same for every sending.
    pub id: EventId,
    /// Number in the device's outbox.
    pub seq: u64,
    /// The start of the device.
    pub boot: BootId,
    /// The camera.
    pub camera: CameraId,
    /// When the picture was taken.
    pub camera_time_ms: UnixMs,
    /// When this copy was handed to the broker.
    pub sent_ms: UnixMs,
    /// Sent again, or late.
    #[serde(default)]
    pub replayed: bool,
    /// The event that this alert rests on.
    pub event: EventId,
    /// How urgent.
    pub severity: Severity,
    /// Whether a picture follows on `evidence/{id}`.
    #[serde(default)]
    pub has_evidence: bool,
    /// Why.
    #[serde(flatten)]
    pub cause: AlertCause,
}

/// Why an alert was raised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum AlertCause {
    /// A face of a list.
    Face {
        /// The list.
        list: ListId,
        /// The entry.
        entry: EntryId,
        /// Cosine similarity.
        similarity: f32,
        /// The list's threshold.
        threshold: f32,
    },
    /// A plate of a list.
    Plate {
        /// The list.
        list: ListId,
        /// The entry.
        entry: EntryId,
        /// The plate that was read, normal form.
        plate: String,
        /// Exact, or near by the reader's confusions.
        #[serde(rename = "match")]
        matched: PlateMatch,
    },
}

impl AlertCause {
    /// The list that was hit.
    pub fn list(&self) -> &ListId {
        match self {
            Self::Face { list, .. } | Self::Plate { list, .. } => list,
        }
    }
}

/// How well a plate agrees with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PlateMatch {
    /// Every character.
    Exact,
    /// But for characters that the reader is known to confuse.
    Near,
}
