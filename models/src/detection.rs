//! What an object detector says about a picture. Plain data: knows nothing of the model that found it.

use crate::BBoxPx;
use vong_wire::ObjectClass;

/// One thing found in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, in pixels of the picture that was given.
    pub bbox: BBoxPx,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// What it is.
    pub class: ObjectClass,
}
