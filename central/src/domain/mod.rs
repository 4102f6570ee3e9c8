//! What the office talks about: sites, gates, devices, cameras, lines, lists, days. Pure values, no I/O. It does not
//! know how they are kept, sent or shown.

mod day;
mod directory;
mod people;

pub use day::{LocalDay, TZ_OFFSET_MIN, now_ms};
pub use directory::{
    Camera, Device, Directory, Entry, Gate, GateId, Line, LineKey, List, ListContent, Names, Province, Site,
};
pub use people::{Role, User};
