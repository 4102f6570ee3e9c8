//! Faces with five points, by whichever family of models the manifest names.

use super::{centerface, yunet};
use crate::error::ModelError;
use crate::geometry::{BBoxPx, PointPx};
use crate::manifest::{Family, Job, Manifest, Model};
use crate::picture::{Normalise, Region, Scaler};
use crate::session::{Session, SessionOptions};
use crate::store::Store;
use image::RgbImage;

/// Both families of detectors take sides that are multiples of this.
const MULTIPLE: usize = 32;
/// A small picture is enlarged up to this much: a face of 20 px is seen better at 40.
const MOST_ENLARGED: f32 = 2.0;

/// A face in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Face {
    /// Where, px of the picture that was given.
    pub bbox: BBoxPx,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, as seen in the picture.
    pub points: [PointPx; 5],
}

/// A detector of faces; one a thread.
#[derive(Debug)]
pub struct FaceDetector {
    session: Session,
    model: Model,
    normalise: Normalise,
    scaler: Scaler,
    found: Vec<Face>,
}

impl FaceDetector {
    /// Opens the model with this id, or the default one, with this many threads a run.
    pub fn open(store: &Store, manifest: &Manifest, id: Option<&str>, threads: usize) -> Result<Self, ModelError> {
        let model = manifest.model(Job::Faces, id)?.clone();
        if !matches!(model.family, Family::Centerface | Family::Yunet) {
            let message = format!(
                "model `{}`: family {:?} finds no faces; use centerface or yunet",
                model.id, model.family
            );
            return Err(ModelError::Manifest {
                manifest: "manifest.toml".into(),
                message,
            });
        }
        let session = Session::open(
            store,
            &manifest.checked_file(store, &model)?,
            SessionOptions { threads },
        )?;
        let normalise = Normalise::of(&model);
        Ok(Self {
            session,
            model,
            normalise,
            scaler: Scaler::default(),
            found: Vec::new(),
        })
    }

    /// Id of the model.
    pub fn model(&self) -> &str {
        &self.model.id
    }

    /// Finds faces of at least `min_score` in a picture at up to the model's own size; `out` is cleared first, best
    /// first.
    pub fn detect(&mut self, picture: &RgbImage, min_score: f32, out: &mut Vec<Face>) -> Result<(), ModelError> {
        let longest = self.model.size[0].max(self.model.size[1]);
        self.detect_in(picture, Region::whole(picture), longest, min_score, out)
    }

    /// The same in a part of a picture, whose longer side is scaled to about `longest` px (less if it would have to be
    /// enlarged more than twice). Boxes and points are in pixels of the whole picture.
    ///
    /// # Errors
    /// When ONNX Runtime fails or the model's outputs are not those of its family.
    pub fn detect_in(
        &mut self,
        picture: &RgbImage,
        region: Region,
        longest: usize,
        min_score: f32,
        out: &mut Vec<Face>,
    ) -> Result<(), ModelError> {
        out.clear();
        self.found.clear();
        if region.width == 0 || region.height == 0 {
            return Ok(());
        }
        let scale = (longest as f32 / region.width.max(region.height) as f32).min(MOST_ENLARGED);
        let side = |length: u32| ((length as f32 * scale).round() as usize).max(1);
        let to = (side(region.width), side(region.height));
        let tensor_size = (to.0.next_multiple_of(MULTIPLE), to.1.next_multiple_of(MULTIPLE));
        let (scaler, normalise) = (&mut self.scaler, &self.normalise);
        let mut placement = None;
        let outputs = self.session.run(&[1, 3, tensor_size.1, tensor_size.0], |tensor| {
            placement = Some(scaler.place(picture, region, to, tensor_size, normalise, tensor));
        })?;
        let placement = placement.expect("the tensor was filled");
        let found = &mut self.found;
        let mut keep = |bbox: [f32; 4], score: f32, points: [[f32; 2]; 5]| {
            let bbox = placement.bbox(bbox[0], bbox[1], bbox[2], bbox[3]);
            found.push(Face {
                bbox,
                score,
                points: points.map(|[x, y]| placement.point(x, y)),
            });
        };
        match self.model.family {
            Family::Centerface => centerface::decode(&outputs, min_score, &mut keep)?,
            _ => yunet::decode(&outputs, tensor_size, min_score, &mut keep)?,
        }
        found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        for face in found.iter() {
            if out.iter().all(|kept| kept.bbox.iou(&face.bbox) <= self.model.nms) {
                out.push(*face);
            }
        }
        Ok(())
    }
}
