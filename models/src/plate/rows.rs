//! Where text stands in a picture: PP-OCR's DB detector run on a picture or a part of it.
//!
//! Invariant: boxes come back in pixels of the whole picture, whatever part and size the network saw.

use super::rowbox::{RowBox, RowRules, RowScratch, rows_of_map};
use crate::manifest::{Job, Manifest};
use crate::picture::{Normalise, Region, Scaler};
use crate::session::{Session, SessionOptions};
use crate::{BBoxPx, ModelError, PointPx, Store};
use image::RgbImage;

const RULES: RowRules = RowRules {
    text_from: 0.3,
    score_from: 0.4,
    grow: 1.7,
    least_px: 2.5,
};

/// How large the network sees a picture or a part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sight {
    /// Longer side, px. The cost grows with the square.
    pub side: f32,
    /// Small ones are enlarged at most so many times.
    pub most_enlarged: f32,
}

impl Sight {
    /// Pixels that the network sees for one of the part.
    pub fn scale(&self, part: &BBoxPx) -> f32 {
        (self.side / part.width().max(part.height())).min(self.most_enlarged)
    }
}

/// Width and height at which the network sees a part of a picture.
pub fn seen_size(region: Region, sight: Sight) -> (usize, usize) {
    let (w, h) = (region.width as f32, region.height as f32);
    let scale = (sight.side / w.max(h)).min(sight.most_enlarged);
    let grid = |v: f32| (v * scale / 32.0).round().max(1.0) as usize * 32;
    (grid(w), grid(h))
}

/// The detector of rows of text (family `ppocr-det`). Input NCHW 1x3xHxW (multiples of 32), output 1x1xHxW probability
/// of text.
pub struct RowsFinder {
    session: Session,
    normalise: Normalise,
    scaler: Scaler,
    side: f32,
    scratch: RowScratch,
}

impl RowsFinder {
    /// Opens the model with this id, or the default one.
    pub fn open(store: &Store, manifest: &Manifest, id: Option<&str>, threads: usize) -> Result<Self, ModelError> {
        let model = manifest.model(Job::PlateRows, id)?;
        let file = manifest.checked_file(store, model)?;
        Ok(Self {
            session: Session::open(store, &file, SessionOptions { threads })?,
            normalise: Normalise::of(model),
            scaler: Scaler::default(),
            side: model.size[0].max(model.size[1]) as f32,
            scratch: RowScratch::default(),
        })
    }

    /// Longer side at which pictures are looked at by default, px.
    pub fn side(&self) -> f32 {
        self.side
    }

    /// Rows of text in a part of the picture.
    pub fn find(
        &mut self,
        picture: &RgbImage,
        part: BBoxPx,
        sight: Sight,
        out: &mut Vec<RowBox>,
    ) -> Result<(), ModelError> {
        out.clear();
        let Some(region) = Region::within(picture, &part) else {
            return Ok(());
        };
        let (w, h) = (region.width as f32, region.height as f32);
        let size = seen_size(region, sight);
        let (scaler, normalise) = (&mut self.scaler, &self.normalise);
        let outputs = self.session.run(&[1, 3, size.1, size.0], |input| {
            scaler.place(picture, region, size, size, normalise, input);
        })?;
        rows_of_map(outputs.at(0)?.data, size.0, size.1, RULES, &mut self.scratch, out);
        let (scale_x, scale_y) = (w / size.0 as f32, h / size.1 as f32);
        let origin = PointPx {
            x: region.x as f32,
            y: region.y as f32,
        };
        for row in out.iter_mut() {
            *row = row.scaled(scale_x, scale_y, origin);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: u32, height: u32, seen: (usize, usize)) {
        let sight = Sight {
            side: 320.0,
            most_enlarged: 1.5,
        };
        let region = Region {
            x: 0,
            y: 0,
            width,
            height,
        };
        assert_eq!(seen_size(region, sight), seen, "{width}x{height}");
        // The network's grid moves a side by less than half a cell.
        let scale = sight.scale(&BBoxPx::new(0.0, 0.0, width as f32, height as f32));
        assert!((scale * width as f32 - seen.0 as f32).abs() <= 16.0, "{scale}");
    }

    #[test]
    fn large_parts_are_shrunk_and_small_ones_enlarged_only_so_far() {
        check(1280, 640, (320, 160));
        check(160, 120, (256, 192));
        check(400, 300, (320, 256));
    }
}
