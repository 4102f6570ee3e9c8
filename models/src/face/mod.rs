//! Faces: finding them with five points, and turning one into an embedding. Invariant: an embedding carries the id of
//! the model that made it, and two of different models are never compared.

mod centerface;
mod detect;
mod embed;
mod points;
mod subject;
mod yunet;

pub use detect::{Face, FaceDetector};
pub(crate) use embed::looks;
pub use embed::{Embedding, FaceEmbedder};
pub use subject::subject;
