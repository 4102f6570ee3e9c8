//! Boxes and points in pixels of the picture they were found in: x to the right, y down, origin at the top left corner.

/// A box in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BBoxPx {
    /// Left.
    pub x1: f32,
    /// Top.
    pub y1: f32,
    /// Right.
    pub x2: f32,
    /// Bottom.
    pub y2: f32,
}

impl BBoxPx {
    /// A box from its corners.
    pub fn new(x1: f32, y1: f32, x2: f32, y2: f32) -> Self {
        Self { x1, y1, x2, y2 }
    }

    /// Width, px.
    pub fn width(&self) -> f32 {
        self.x2 - self.x1
    }

    /// Height, px.
    pub fn height(&self) -> f32 {
        self.y2 - self.y1
    }

    /// Area, px²; nought for an empty box.
    pub fn area(&self) -> f32 {
        self.width().max(0.0) * self.height().max(0.0)
    }

    /// Centre.
    pub fn centre(&self) -> PointPx {
        PointPx {
            x: (self.x1 + self.x2) / 2.0,
            y: (self.y1 + self.y2) / 2.0,
        }
    }

    /// The common part; may be empty.
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        }
    }

    /// Intersection over union, 0 to 1.
    pub fn iou(&self, other: &Self) -> f32 {
        let common = self.intersection(other).area();
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    /// Whether a point lies inside.
    pub fn contains(&self, point: PointPx) -> bool {
        (self.x1..=self.x2).contains(&point.x) && (self.y1..=self.y2).contains(&point.y)
    }

    /// The box this share (0 to 1) of the way to another.
    pub fn towards(&self, other: &Self, share: f32) -> Self {
        let part = |from: f32, to: f32| from + share * (to - from);
        Self {
            x1: part(self.x1, other.x1),
            y1: part(self.y1, other.y1),
            x2: part(self.x2, other.x2),
            y2: part(self.y2, other.y2),
        }
    }

    /// Cut to a picture of this size.
    pub fn clipped(&self, width: f32, height: f32) -> Self {
        self.intersection(&Self::new(0.0, 0.0, width, height))
    }
}

/// A point in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PointPx {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}
