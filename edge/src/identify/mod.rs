//! Who is it, if anybody listed? Invariant: "unknown" is an answer; a list whose embeddings come from another model is
//! never searched; a track is told once per entry.

mod crowd;
mod flat;
mod gallery;
mod plates;
mod scan;
mod search;
mod steps;
mod vote;

pub use gallery::{FaceMatch, Gallery, GalleryError};
pub use plates::PlateLists;
pub use vote::IdentityVote;
