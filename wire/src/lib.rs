//! What crosses between the edge and central: ids, events, alerts, counts, health, commands and the topics they
//! travel on. Floor 0: this crate knows nothing of cameras, models, brokers or databases.
//!
//! Invariant: a message once published can be read for ever. Fields are added, never renamed or removed; readers
//! tolerate fields that they do not know; `tests/golden` holds one message of every kind of every released version.

pub mod command;
pub mod count;
pub mod event;
mod event_read;
pub mod health;
pub mod id;
pub mod list;
pub mod topic;
pub mod view;

pub use command::{Ack, AckItem, Command, CommandBody};
pub use count::{Count, mended_minute};
pub use event::{
    Alert, AlertCause, Crossing, Direction, Event, EventBody, ObjectClass, PlateColour, PlateMatch, PlateSeen,
    Recognition, Severity,
};
pub use health::{CameraHealth, CameraStatus, DeviceStatus, Health, OutboxHealth, StageTime, State, Trouble};
pub use id::{BootId, CameraId, DeviceId, EntryId, EventId, IdError, LineId, ListId, SiteId};
pub use list::{FaceEntry, ListKind, PlateEntry, Watchlist, WatchlistBundle};
pub use topic::{Channel, Topic, TopicError};
pub use view::{View, ViewBox, ViewHeader, ViewLine};

/// Milliseconds since 1970-01-01T00:00:00Z, by the clock of whoever wrote the field.
pub type UnixMs = i64;

/// No device of ours runs before this: 2025-01-01. A clock that shows less does not know the time.
pub const PLAUSIBLE_MS: UnixMs = 1_735_689_600_000;

/// Largest MQTT packet in bytes that either end accepts: a watchlist bundle of 10,000 faces is about 14 MB of JSON.
pub const MAX_PACKET_BYTES: u32 = 32 * 1024 * 1024;
