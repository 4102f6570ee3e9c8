//! The models of Vọng and running them. Floor 1: knows pictures, files and ONNX Runtime; knows nothing of cameras,
//! tracks, brokers or stores.
//!
//! Invariant: nothing is loaded whose hash is not the one in `manifest.toml` (or in a site's own manifest).
//! Only `session.rs` names `ort`.

pub mod error;
pub mod geometry;
pub mod plate;
pub mod session;
pub mod store;

pub use error::ModelError;
pub use geometry::{BBoxPx, PointPx};
pub use store::Store;
