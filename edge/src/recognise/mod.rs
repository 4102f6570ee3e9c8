//! From faces in pictures to what a track looks like. Invariant: only shots that pass the quality gate are embedded,
//! every refusal has its reason, and a track keeps a few of its best shots, never a picture of a face.

mod quality;
mod shots;

pub use quality::{Quality, Refusal, assess};
pub use shots::BestShots;
