//! The clips of the demo and their truth. Invariant: a clip is made from its truth and a fixed recipe alone, so that it is
//! the same on every machine; nothing of others is part of this crate, only the way to put it together.

pub mod barrier;
pub mod canvas;
pub mod encode;
pub mod gate;
pub mod plate;
pub mod truth;

/// Size of the composed clips, px.
pub const SIZE: (u32, u32) = (1280, 720);
/// Frames a second of the composed clips.
pub const FPS: u32 = 10;
/// Changes whenever a composed clip would look different: clips of another recipe are made again.
pub const RECIPE: u32 = 3;
