//! Watchlists as they travel to the edge: embeddings and plates under entry ids, no names, no photographs.

use crate::{EntryId, ListId, PlateColour, Severity};
use serde::{Deserialize, Serialize};

/// All lists of a device, replaced as a whole. A bundle with a version not above the one in force is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchlistBundle {
    /// Rising with every change.
    pub version: u64,
    /// The lists.
    pub lists: Vec<Watchlist>,
}

/// One list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Watchlist {
    /// The list.
    pub id: ListId,
    /// How urgent a hit is.
    pub severity: Severity,
    /// An exercise: hits are shown as such and alert nobody outside.
    #[serde(default)]
    pub exercise: bool,
    /// What it holds.
    #[serde(flatten)]
    pub kind: ListKind,
}

/// Faces or plates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ListKind {
    /// Faces, all embedded by one model.
    Faces {
        /// The model that made the embeddings; the edge refuses those of another.
        model: String,
        /// Cosine similarity from which a track matches; none: the model's default.
        #[serde(default)]
        threshold: Option<f32>,
        /// The entries.
        entries: Vec<FaceEntry>,
    },
    /// Plates.
    Plates {
        /// The entries.
        entries: Vec<PlateEntry>,
    },
}

/// A person of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FaceEntry {
    /// The entry.
    pub id: EntryId,
    /// One unit vector a photograph.
    pub embeddings: Vec<Vec<f32>>,
    /// Persons who look alike and were confirmed not to be this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_this: Vec<Vec<f32>>,
}

/// A vehicle of a list. An identification plate belongs to its owner, so the colour may narrow it to the vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlateEntry {
    /// The entry.
    pub id: EntryId,
    /// Normal form.
    pub plate: String,
    /// Ground colour, where known.
    #[serde(default)]
    pub colour: Option<PlateColour>,
}
