//! Persons and vehicles in a picture. Invariant: boxes come back in pixels of the picture that was given, whatever size
//! the model works at. A family of models is a decoder here; a model of a family is manifest alone.

mod nanodet;
mod yolox;

use crate::error::ModelError;
use crate::geometry::BBoxPx;
use crate::manifest::{Family, Job, Manifest, Model};
use crate::picture::{Normalise, Placement, Region, Scaler};
use crate::session::{Session, SessionOptions};
use crate::store::Store;
use image::RgbImage;
use vong_wire::ObjectClass;

pub use crate::detection::Detection;

/// Room for boxes before suppression from the start, so that it need not grow in the middle of a rush.
const USUAL_FOUND: usize = 1024;

/// COCO's numbers of the classes that a gate cares for.
pub(crate) const COCO: [(usize, ObjectClass); 6] = [
    (0, ObjectClass::Person),
    (1, ObjectClass::Bicycle),
    (2, ObjectClass::Car),
    (3, ObjectClass::Motorcycle),
    (5, ObjectClass::Bus),
    (7, ObjectClass::Truck),
];

/// Shapes of pictures whose tensors are kept: cameras with different ones take turns on a worker.
const KEPT_SHAPES: usize = 4;

/// The coarsest stride of both families: sides are multiples of it.
const MULTIPLE: usize = 32;

/// A detector of persons and vehicles; one a thread.
#[derive(Debug)]
pub struct ObjectDetector {
    session: Session,
    model: Model,
    normalise: Normalise,
    scaler: Scaler,
    found: Vec<Detection>,
}

impl ObjectDetector {
    /// Opens the model with this id, or the default one, with this many threads a run.
    pub fn open(store: &Store, manifest: &Manifest, id: Option<&str>, threads: usize) -> Result<Self, ModelError> {
        let model = manifest.model(Job::Objects, id)?.clone();
        if !matches!(model.family, Family::Nanodet | Family::Yolox) {
            let message = format!(
                "model `{}`: family {:?} finds no objects; use nanodet or yolox",
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
        )?
        .keeping(KEPT_SHAPES);
        let normalise = Normalise::of(&model);
        Ok(Self {
            session,
            model,
            normalise,
            scaler: Scaler::default(),
            found: Vec::with_capacity(USUAL_FOUND),
        })
    }

    /// Longest sides that it was made for, px.
    pub fn size(&self) -> [usize; 2] {
        self.model.size
    }

    /// Sides of the largest square that it can look at where this longest side, px, is asked for.
    ///
    /// # Errors
    /// When the model takes one size only, and it is another.
    pub fn look(&self, look_px: Option<u32>) -> Result<[usize; 2], ModelError> {
        let asked = look_px.map_or(self.model.size, |side| [side as usize; 2]);
        if asked == self.model.size || self.session.takes_any_size() {
            return Ok(asked);
        }
        let [width, height] = self.model.size;
        Err(ModelError::Manifest {
            manifest: "manifest.toml".into(),
            message: format!(
                "model `{}` looks at {width} x {height} px only; leave look_px out, or name a model that takes any size",
                self.model.id
            ),
        })
    }

    /// Id of the model.
    pub fn model(&self) -> &str {
        &self.model.id
    }

    /// Finds objects of at least `min_score` (0 to 1); `out` is cleared first, best score first.
    ///
    /// # Errors
    /// When ONNX Runtime fails or the model's outputs are not those of its family.
    pub fn detect(&mut self, picture: &RgbImage, min_score: f32, out: &mut Vec<Detection>) -> Result<(), ModelError> {
        self.detect_within(picture, self.model.size, min_score, out)
    }

    /// The same in the picture made smaller or larger to lie within these sides, px, of [`ObjectDetector::look`].
    ///
    /// # Errors
    /// When ONNX Runtime fails or the model's outputs are not those of its family.
    pub fn detect_within(
        &mut self,
        picture: &RgbImage,
        within: [usize; 2],
        min_score: f32,
        out: &mut Vec<Detection>,
    ) -> Result<(), ModelError> {
        out.clear();
        self.found.clear();
        if picture.width() == 0 || picture.height() == 0 {
            return Ok(());
        }
        let [width, height] = within;
        let scale = (width as f32 / picture.width() as f32).min(height as f32 / picture.height() as f32);
        let to = (
            scaled(picture.width(), scale, width),
            scaled(picture.height(), scale, height),
        );
        // A picture that is wider than high leaves a margin that need not be looked at.
        let size = match self.session.takes_any_size() {
            true => [to.0.next_multiple_of(MULTIPLE), to.1.next_multiple_of(MULTIPLE)],
            false => within,
        };
        let (scaler, normalise) = (&mut self.scaler, &self.normalise);
        let mut placement = None;
        let outputs = self.session.run(&[1, 3, size[1], size[0]], |tensor| {
            placement = Some(scaler.place(
                picture,
                Region::whole(picture),
                to,
                (size[0], size[1]),
                normalise,
                tensor,
            ));
        })?;
        let placement = placement.expect("the tensor was filled");
        let mut keep = |x1: f32, y1: f32, x2: f32, y2: f32, score: f32, class: ObjectClass| {
            let bbox = clip(&placement, picture, x1, y1, x2, y2);
            if bbox.area() > 0.0 {
                self.found.push(Detection { bbox, score, class });
            }
        };
        match self.model.family {
            Family::Nanodet => nanodet::decode(&outputs, size, min_score, &mut keep)?,
            _ => yolox::decode(&outputs, size, min_score, &mut keep)?,
        }
        suppress(&mut self.found, self.model.nms, out);
        Ok(())
    }
}

fn scaled(side: u32, scale: f32, most: usize) -> usize {
    ((side as f32 * scale) as usize).clamp(1, most)
}

fn clip(placement: &Placement, picture: &RgbImage, x1: f32, y1: f32, x2: f32, y2: f32) -> BBoxPx {
    placement
        .bbox(x1, y1, x2, y2)
        .clipped(picture.width() as f32, picture.height() as f32)
}

/// Greedy non-maximum suppression within a kind: persons do not suppress vehicles; two kinds of vehicle on one spot
/// are one vehicle.
pub fn suppress(found: &mut [Detection], most_overlap: f32, out: &mut Vec<Detection>) {
    found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    for candidate in found.iter() {
        let same_kind = |kept: &&Detection| kept.class.is_vehicle() == candidate.class.is_vehicle();
        if out
            .iter()
            .filter(same_kind)
            .all(|kept| kept.bbox.iou(&candidate.bbox) <= most_overlap)
        {
            out.push(*candidate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, score: f32, class: ObjectClass) -> Detection {
        Detection {
            bbox: BBoxPx::new(x, 0.0, x + 10.0, 20.0),
            score,
            class,
        }
    }

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        let person = ObjectClass::Person;
        let mut found = vec![
            at(0.0, 0.5, person),
            at(1.0, 0.9, person),
            at(50.0, 0.4, person),
            at(0.5, 0.3, ObjectClass::Car),
            at(0.5, 0.6, ObjectClass::Truck),
        ];
        let mut out = Vec::new();
        suppress(&mut found, 0.6, &mut out);
        let kept: Vec<_> = out.iter().map(|d| (d.bbox.x1, d.class)).collect();
        assert_eq!(kept, [(1.0, person), (0.5, ObjectClass::Truck), (50.0, person)]);
    }
}
