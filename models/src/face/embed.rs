//! A face as a unit vector. The chip is warped onto the model's template by its five points, and looked at from the
//! distances that the manifest names, each as it is and mirrored, once for each telling of its points; the vectors are
//! added. On pictures of one person the sum varies less than any of them, above all where the points are a little off.
//!
//! A second network may look at the same face: its vector stands behind the first one's, so many times as long as the
//! manifest says. Two networks that were trained apart err on different pairs.

use crate::error::ModelError;
use crate::geometry::PointPx;
use crate::manifest::{Family, Job, Looks, Manifest, Model};
use crate::picture::{Normalise, Similarity};
use crate::session::{Session, SessionOptions};
use crate::store::Store;
use image::RgbImage;

/// A face as a unit vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Id of the model that made it.
    pub model: String,
    /// The vector, of length 1.
    pub vector: Vec<f32>,
}

impl Embedding {
    /// Cosine similarity, -1 to 1; none between embeddings of different models.
    pub fn similarity(&self, other: &Self) -> Option<f32> {
        let comparable = self.model == other.model && self.vector.len() == other.vector.len();
        comparable.then(|| self.vector.iter().zip(&other.vector).map(|(a, b)| a * b).sum())
    }
}

/// Makes embeddings; one a thread.
#[derive(Debug)]
pub struct FaceEmbedder {
    id: String,
    threshold: f32,
    networks: Vec<Network>,
}

/// One network, and how long its vector is in the embedding.
#[derive(Debug)]
struct Network {
    session: Session,
    model: Model,
    normalise: Normalise,
    weight: f32,
}

impl FaceEmbedder {
    /// Opens the model with this id, or the default one, with this many threads a run.
    pub fn open(store: &Store, manifest: &Manifest, id: Option<&str>, threads: usize) -> Result<Self, ModelError> {
        let model = manifest.model(Job::Embedding, id)?;
        let mut networks = vec![Network::open(store, manifest, model, 1.0, threads)?];
        if let Some(beside) = &model.beside {
            let second = manifest.model(Job::Embedding, Some(&beside.model))?;
            networks.push(Network::open(store, manifest, second, beside.weight, threads)?);
        }
        Ok(Self {
            id: model.id.clone(),
            threshold: model.threshold.unwrap_or(1.0),
            networks,
        })
    }

    /// Id of the model, which its embeddings carry.
    pub fn model(&self) -> &str {
        &self.id
    }

    /// Cosine similarity from which two of its embeddings are one person, unless a list has its own.
    pub fn default_threshold(&self) -> f32 {
        self.threshold
    }

    /// The embedding of one face whose five points were told once or several times; none if they coincide in all.
    ///
    /// # Errors
    /// When ONNX Runtime fails or the model's output is no vector.
    pub fn embed(&mut self, picture: &RgbImage, told: &[[PointPx; 5]]) -> Result<Option<Embedding>, ModelError> {
        let mut all = Vec::new();
        for network in &mut self.networks {
            let Some(vector) = network.vector(picture, told)? else {
                return Ok(None);
            };
            all.extend(vector.into_iter().map(|value| network.weight * value));
        }
        Ok(normalised(all).map(|vector| Embedding {
            model: self.id.clone(),
            vector,
        }))
    }
}

impl Network {
    fn open(
        store: &Store,
        manifest: &Manifest,
        model: &Model,
        weight: f32,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let wrong = |message: String| ModelError::Manifest {
            manifest: "manifest.toml".into(),
            message,
        };
        if !matches!(model.family, Family::DlibResnet | Family::Arcface) {
            let family = model.family;
            return Err(wrong(format!(
                "model `{}`: family {family:?} makes no embeddings; use dlib-resnet or arcface",
                model.id
            )));
        }
        if model.template.is_none() {
            return Err(wrong(format!("model `{}` has no template of five points", model.id)));
        }
        Ok(Self {
            session: Session::open(store, &manifest.checked_file(store, model)?, SessionOptions { threads })?,
            normalise: Normalise::of(model),
            model: model.clone(),
            weight,
        })
    }

    /// The sum of its looks, of length 1.
    fn vector(&mut self, picture: &RgbImage, told: &[[PointPx; 5]]) -> Result<Option<Vec<f32>>, ModelError> {
        let mut vector = Vec::new();
        for (similarity, mirror) in looks(&self.model, told) {
            let look = self.look(picture, &similarity, mirror)?;
            vector.resize(look.len(), 0.0);
            vector.iter_mut().zip(&look).for_each(|(sum, value)| *sum += value);
        }
        Ok(normalised(vector))
    }

    fn look(&mut self, picture: &RgbImage, similarity: &Similarity, mirror: bool) -> Result<Vec<f32>, ModelError> {
        let [width, height] = self.model.size;
        let normalise = &self.normalise;
        let outputs = self.session.run(&[1, 3, height, width], |tensor| {
            similarity.warp(picture, width, height, mirror, normalise, tensor);
        })?;
        let vector = outputs.at(0)?.data.to_vec();
        normalised(vector).ok_or_else(|| outputs.fault("its embedding has no length".into()))
    }
}

/// How a model looks at a face: each telling of its points, from each of its distances, as it is and mirrored; or once, by
/// the middle of what was told.
pub(crate) fn looks(model: &Model, told: &[[PointPx; 5]]) -> Vec<(Similarity, bool)> {
    let Some(template) = &model.template else {
        return Vec::new();
    };
    let between;
    let (told, mirrors): (&[_], &[bool]) = match model.looks {
        Looks::All => (told, &[false, true]),
        Looks::One => {
            between = [middle(told)];
            (&between, &[false])
        }
    };
    let chips = told.iter().flat_map(|points| {
        let distances = model.distances.iter();
        distances.filter_map(|distance| Similarity::fit(&spread(points, *distance), template))
    });
    chips
        .flat_map(|chip| mirrors.iter().map(move |mirror| (chip, *mirror)))
        .collect()
}

/// Each point in the middle of where it was told to be.
fn middle(told: &[[PointPx; 5]]) -> [PointPx; 5] {
    let share = 1.0 / told.len().max(1) as f32;
    std::array::from_fn(|n| {
        let tellings = told.iter().map(|points| points[n]);
        tellings.fold(PointPx { x: 0.0, y: 0.0 }, |sum, point| PointPx {
            x: sum.x + share * point.x,
            y: sum.y + share * point.y,
        })
    })
}

/// The points drawn apart from their middle: the farther apart, the smaller is the face in the chip.
fn spread(points: &[PointPx; 5], factor: f32) -> [PointPx; 5] {
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.x / 5.0, y + p.y / 5.0));
    points.map(|p| PointPx {
        x: x + factor * (p.x - x),
        y: y + factor * (p.y - y),
    })
}

fn normalised(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    if !(length.is_finite() && length > 1e-6) {
        return None;
    }
    vector.iter_mut().for_each(|v| *v /= length);
    Some(vector)
}
