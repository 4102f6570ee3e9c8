//! Where the five points of a face lie, told twice: as the face was found, and in a cut around it at the size at which
//! the finders place points best. An embedding of both varies less than that of either, whatever the embedding's model.

use super::{Face, FaceDetector};
use crate::error::ModelError;
use crate::geometry::{BBoxPx, PointPx};
use crate::picture::Region;
use image::RgbImage;

/// The cut is this many times as long as the face's longer side.
const AROUND: f32 = 2.0;
/// Longer side of the cut for the model, px. Faces of 190 px had better points than those of 230 and 290
/// (`docs/accuracy-choices.md`).
const CUT_PX: usize = 384;
/// Less overlap than this is another face.
const SAME_IOU: f32 = 0.3;
/// A face that was found once may be less sure in the cut.
const LEAST_SCORE: f32 = 0.3;

impl FaceDetector {
    /// The points of a face as they were found, and as they are found again in a cut around it, if they are.
    ///
    /// # Errors
    /// When ONNX Runtime fails or the model's outputs are not those of its family.
    pub fn points(&mut self, picture: &RgbImage, face: &Face) -> Result<Vec<[PointPx; 5]>, ModelError> {
        let mut told = vec![face.points];
        let (centre, half) = (
            face.bbox.centre(),
            face.bbox.width().max(face.bbox.height()) * AROUND / 2.0,
        );
        let cut = BBoxPx::new(centre.x - half, centre.y - half, centre.x + half, centre.y + half);
        if let Some(region) = Region::within(picture, &cut) {
            let mut found = Vec::new();
            self.detect_in(picture, region, CUT_PX, LEAST_SCORE, &mut found)?;
            let same = found.iter().map(|again| (again.bbox.iou(&face.bbox), again.points));
            let best = same.max_by(|a, b| a.0.total_cmp(&b.0));
            told.extend(best.filter(|(iou, _)| *iou >= SAME_IOU).map(|(_, points)| points));
        }
        Ok(told)
    }
}
