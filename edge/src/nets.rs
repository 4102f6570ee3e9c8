//! The models of one worker: each worker has its own sessions, so that no run waits for another's.

use crate::config::{CameraConfig, Config, ModelsConfig};
use std::collections::BTreeMap;
use vong_models::detect::ObjectDetector;
use vong_models::face::{FaceDetector, FaceEmbedder};
use vong_models::plate::{PlateReader, PlateReaderOptions};
use vong_models::{Job, Manifest, ModelError, Store};

/// Which models a device needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// Persons and vehicles.
    pub objects: bool,
    /// Faces and their embeddings.
    pub faces: bool,
    /// Plates.
    pub plates: bool,
}

impl Needs {
    /// By what the cameras are for.
    pub fn of(config: &Config) -> Self {
        let any = |wants: fn(&crate::config::CameraConfig) -> bool| config.cameras.iter().any(wants);
        Self {
            objects: any(|c| {
                !c.lines.is_empty() || c.faces.is_some() || c.plates.as_ref().is_some_and(|p| p.region.is_none())
            }),
            faces: any(|c| c.faces.is_some()),
            plates: any(|c| c.plates.is_some()),
        }
    }
}

/// Which form of a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Precision {
    /// The manifest's default: 8 bits where accuracy holds.
    #[default]
    Default,
    /// 32-bit floats throughout.
    F32,
}

impl Precision {
    /// The models of a configuration in this form.
    ///
    /// # Errors
    /// When the manifest does not know one.
    pub fn apply(self, manifest: &Manifest, config: &ModelsConfig) -> Result<ModelsConfig, ModelError> {
        if self == Self::Default {
            return Ok(config.clone());
        }
        let full = |job: Job, id: &Option<String>| {
            let model = manifest.model(job, id.as_deref())?;
            Ok::<_, ModelError>(Some(model.eight_bit_of.clone().unwrap_or_else(|| model.id.clone())))
        };
        Ok(ModelsConfig {
            manifest: config.manifest.clone(),
            objects: full(Job::Objects, &config.objects)?,
            faces: full(Job::Faces, &config.faces)?,
            embedding: full(Job::Embedding, &config.embedding)?,
            plate_rows: full(Job::PlateRows, &config.plate_rows)?,
            plate_reader: full(Job::PlateReader, &config.plate_reader)?,
        })
    }
}

/// Sessions of one worker.
pub struct Nets {
    /// Finds persons and vehicles.
    pub objects: Option<ObjectDetector>,
    /// Finds faces and embeds them.
    pub faces: Option<(FaceDetector, FaceEmbedder)>,
    /// Reads plates.
    pub plates: Option<PlateReader>,
}

impl Nets {
    /// Opens what is needed.
    pub fn open(
        store: &Store,
        manifest: &Manifest,
        config: &ModelsConfig,
        needs: Needs,
        threads: usize,
    ) -> Result<Self, ModelError> {
        let objects = needs
            .objects
            .then(|| ObjectDetector::open(store, manifest, config.objects.as_deref(), threads));
        let faces = needs.faces.then(|| {
            let detector = FaceDetector::open(store, manifest, config.faces.as_deref(), threads)?;
            let embedder = FaceEmbedder::open(store, manifest, config.embedding.as_deref(), threads)?;
            Ok::<_, ModelError>((detector, embedder))
        });
        let plates = needs
            .plates
            .then(|| PlateReader::open(store, manifest, config.plates(), threads, PlateReaderOptions::default()));
        Ok(Self {
            objects: objects.transpose()?,
            faces: faces.transpose()?,
            plates: plates.transpose()?,
        })
    }

    /// Whether objects can be looked for as these cameras ask.
    ///
    /// # Errors
    /// When a camera asks for a size that the detector does not take.
    pub fn suit(&self, cameras: &[CameraConfig]) -> Result<(), ModelError> {
        match &self.objects {
            Some(objects) => cameras
                .iter()
                .try_for_each(|camera| objects.look(camera.look_px).map(drop)),
            None => Ok(()),
        }
    }

    /// Model by job, for the device's state.
    pub fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        if let Some(objects) = &self.objects {
            names.insert("objects".into(), objects.model().into());
        }
        if let Some((detector, embedder)) = &self.faces {
            names.insert("faces".into(), detector.model().into());
            names.insert("embedding".into(), embedder.model().into());
        }
        if let Some(plates) = self.plates.as_ref().map(PlateReader::models) {
            let named = [("plate-rows", plates.rows), ("plate-reader", plates.reader)];
            names.extend(named.map(|(job, id)| (job.into(), id.unwrap_or_default().into())));
        }
        names
    }
}
