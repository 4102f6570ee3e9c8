//! A counting line in pixels. Invariant: "in" is from the side where (p2 - p1) x (p - p1) is negative to the side where
//! it is positive, y down. Pure geometry.

use crate::config::CountedClass;
use vong_models::{BBoxPx, PointPx};

/// A directed line as a person draws it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineSpec {
    /// x1, y1, x2, y2 in shares of the picture's width and height.
    pub points: [f32; 4],
    /// What it counts.
    pub class: CountedClass,
}

/// Half the band that belongs to neither side, as a share of the picture's width. Annotators place a box's centre to
/// about a hundredth of the width.
const BAND_OF_PICTURE: f32 = 0.01;

/// The line in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    from: PointPx,
    /// Unit vector along the line.
    along: PointPx,
    length: f32,
    /// Half the band, px.
    pub(super) band: f32,
}

impl Line {
    pub(super) fn new(spec: &LineSpec, width: f32, height: f32) -> Self {
        let [x1, y1, x2, y2] = spec.points;
        let from = PointPx {
            x: x1 * width,
            y: y1 * height,
        };
        let (dx, dy) = ((x2 - x1) * width, (y2 - y1) * height);
        let length = dx.hypot(dy).max(f32::MIN_POSITIVE);
        Self {
            from,
            along: PointPx {
                x: dx / length,
                y: dy / length,
            },
            length,
            band: BAND_OF_PICTURE * width,
        }
    }

    /// Distance of a point from the endless line, px; positive on the side that "in" leads to.
    pub(super) fn distance(&self, point: PointPx) -> f32 {
        self.along.x * (point.y - self.from.y) - self.along.y * (point.x - self.from.x)
    }

    /// How far along the line the point lies: 0 at its beginning, 1 at its end.
    pub(super) fn share(&self, point: PointPx) -> f32 {
        (self.along.x * (point.x - self.from.x) + self.along.y * (point.y - self.from.y)) / self.length
    }
}

/// The point of a box that is watched: its centre.
pub(super) fn count_point(bbox: &BBoxPx) -> PointPx {
    bbox.centre()
}
