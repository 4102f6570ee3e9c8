//! The models of Vọng and running them. Floor 1: knows pictures, files and ONNX Runtime; knows nothing of cameras,
//! tracks, brokers or stores.
//!
//! Invariant: nothing is loaded whose hash is not the one in `manifest.toml` (or in a site's own manifest).
//! Only `session.rs` names `ort`.

pub mod calibrate;
pub mod cli;
pub mod convert;
pub mod detect;
pub mod detection;
pub mod error;
pub mod face;
pub mod fetch;
pub mod geometry;
pub mod hash;
pub mod manifest;
#[cfg(test)]
mod manifest_test;
pub mod picture;
pub mod picture_file;
#[cfg(test)]
mod picture_file_test;
pub mod plate;
pub mod session;
pub mod store;

pub use detection::Detection;
pub use error::ModelError;
pub use geometry::{BBoxPx, PointPx};
pub use manifest::{Job, Manifest};
pub use picture_file::{PictureFault, decode_picture, open_picture};
pub use store::Store;
