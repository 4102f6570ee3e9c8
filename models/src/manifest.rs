//! Which models there are and what a wrapper must know of each. Invariant: a family is code, a model is manifest alone,
//! and a file is handed out only after its hash was compared.

use crate::error::ModelError;
use crate::fetch::{Package, StoreFile};
use crate::hash::check_hash;
use crate::store::Store;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Spanned, Table};

const BUILT_IN: &str = include_str!("../manifest.toml");

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Job {
    /// Persons and vehicles.
    Objects,
    /// Faces with five points.
    Faces,
    /// Face embeddings.
    Embedding,
    /// Rows of text on plates.
    PlateRows,
    /// The text of a row.
    PlateText,
    /// Whole plates.
    PlateReader,
}

/// How a model's input is made and its output read: one piece of code each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// NanoDet: three class outputs, three box outputs of eleven bins a side.
    Nanodet,
    /// YOLOX: one output, centre and size in cells, objectness and classes.
    Yolox,
    /// CenterFace: heat, scale, offset, landmarks at stride 4.
    Centerface,
    /// YuNet: class, objectness, box, points at strides 8, 16, 32.
    Yunet,
    /// dlib's ResNet-34.
    DlibResnet,
    /// Any embedding of the ArcFace kind: one chip in, one vector out.
    Arcface,
    /// PP-OCR text detector (DB).
    PpocrDet,
    /// PP-OCR recogniser (CTC).
    PpocrRec,
    /// A plate reader of our own (CTC over both rows).
    PlateCtc,
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Names the model in configurations, telemetry and embeddings.
    pub id: String,
    /// What it is for.
    pub job: Job,
    /// Which code runs it.
    pub family: Family,
    /// Its file: in the store, or relative to a site's own manifest.
    pub file: PathBuf,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Input width and height, px; the longest sides where the model takes any size.
    pub size: [usize; 2],
    /// Order of the colour planes.
    #[serde(default)]
    pub order: Order,
    /// Subtracted from 0-255 values, in the model's own order of planes.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divisor after that.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Colour of the margin, 0-255, in the model's own order of planes.
    #[serde(default)]
    pub pad: [f32; 3],
    /// Boxes that overlap more than this are one (intersection over union).
    #[serde(default = "default_nms")]
    pub nms: f32,
    /// Where the five points of a face go, px of the chip.
    #[serde(default)]
    pub template: Option<[[f32; 2]; 5]>,
    /// Id of the model of 32-bit floats that this one was made of; what is not said of this one is as there.
    #[serde(default)]
    pub eight_bit_of: Option<String>,
    /// The network that looks at a face as well, where one alone errs more; it must be a model of embeddings itself.
    #[serde(default)]
    pub beside: Option<Beside>,
    /// How often an embedding looks at a face.
    #[serde(default)]
    pub looks: Looks,
    /// From how near and how far an embedding looks at a face; 1 is the template's own distance, more is farther.
    #[serde(default = "template_distance")]
    pub distances: Vec<f32>,
    /// Cosine similarity from which two embeddings are one person, unless a list has its own.
    #[serde(default)]
    pub threshold: Option<f32>,
}

/// How often an embedding looks at a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Looks {
    /// By each telling of its points, from each distance, as it is and mirrored.
    #[default]
    All,
    /// From each distance, by the middle of the points that were told, as it is.
    One,
}

/// A second network beside a first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// Id of its model.
    pub model: String,
    /// Length of its vector where that of the first is 1.
    pub weight: f32,
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

fn template_distance() -> Vec<f32> {
    vec![1.0]
}

fn default_nms() -> f32 {
    0.5
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: BTreeMap<Job, String>,
    #[serde(default, rename = "model")]
    models: Vec<Spanned<Table>>,
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

/// The built-in manifest, with a site's own laid over it.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The file that was read last, for errors.
    name: String,
    defaults: BTreeMap<Job, String>,
    models: BTreeMap<String, Entry>,
    packages: Vec<Package>,
}

/// A model, and the table that it was read from.
#[derive(Debug, Clone)]
struct Entry {
    model: Model,
    table: Table,
    /// Where its file lies, if not in the store.
    folder: Option<PathBuf>,
}

impl Manifest {
    /// The built-in manifest, and a site's own where there is one.
    pub fn load(site: Option<&Path>) -> Result<Self, ModelError> {
        let mut manifest = Self {
            name: String::new(),
            defaults: BTreeMap::new(),
            models: BTreeMap::new(),
            packages: Vec::new(),
        };
        manifest.add(BUILT_IN, "manifest.toml", None)?;
        if let Some(path) = site {
            let text = std::fs::read_to_string(path).map_err(|cause| ModelError::Unreadable {
                path: path.to_path_buf(),
                cause,
            })?;
            let folder = path.parent().unwrap_or(Path::new(".")).to_path_buf();
            manifest.add(&text, &path.to_string_lossy(), Some(folder))?;
        }
        Ok(manifest)
    }

    fn add(&mut self, text: &str, name: &str, folder: Option<PathBuf>) -> Result<(), ModelError> {
        let wrong = |message: String| ModelError::Manifest {
            manifest: name.to_string(),
            message,
        };
        let line = |at: usize| {
            1 + text.as_bytes()[..at.min(text.len())]
                .iter()
                .filter(|&&b| b == b'\n')
                .count()
        };
        let wrong_at = |at: usize, message: String| wrong(format!("line {}: {message}", line(at)));
        let file: File = toml::from_str(text)
            .map_err(|error| wrong_at(error.span().map_or(0, |span| span.start), in_one_line(&error)))?;
        self.packages.extend(file.packages);
        self.name = name.to_string();
        for table in file.models {
            let at = table.span().start;
            let entry = self.entry(table.into_inner(), folder.as_deref());
            let entry = entry.map_err(|message| wrong_at(at, message))?;
            self.models.insert(entry.model.id.clone(), entry);
        }
        for (job, id) in file.defaults {
            match self.models.get(&id) {
                Some(entry) if entry.model.job == job => self.defaults.insert(job, id),
                Some(_) => return Err(wrong(format!("defaults: model `{id}` is not for {job:?}"))),
                None => return Err(wrong(format!("defaults: there is no model `{id}`"))),
            };
        }
        Ok(())
    }

    /// A model of its own table laid over that of the model which it is like, or what is wrong with it.
    fn entry(&self, own: Table, folder: Option<&Path>) -> Result<Entry, String> {
        let mut folder = folder.map(Path::to_path_buf);
        let like = ["like", "eight_bit_of"].iter().find_map(|key| own.get(*key)?.as_str());
        let mut table = match like {
            None => Table::new(),
            Some(id) => {
                let like = self.models.get(id);
                let like =
                    like.ok_or_else(|| format!("a model is like `{id}`, but none of that id stands before it"))?;
                if !own.contains_key("file") {
                    folder.clone_from(&like.folder);
                }
                like.table.clone()
            }
        };
        table.remove("eight_bit_of");
        table.extend(own);
        table.remove("like");
        let model: Model = table.clone().try_into().map_err(|error| in_one_line(&error))?;
        self.check(&model)?;
        Ok(Entry { model, table, folder })
    }

    /// Whether a model's settings can be: what is wrong with them.
    fn check(&self, model: &Model) -> Result<(), String> {
        let id = &model.id;
        if model.size.contains(&0) || model.std.contains(&0.0) {
            return Err(format!("model `{id}`: size and std must not be nought"));
        }
        if model.distances.is_empty() || !model.distances.iter().all(|d| (0.5..=2.0).contains(d)) {
            return Err(format!("model `{id}`: distances must be some, each from 0.5 to 2"));
        }
        if model.job == Job::Embedding && model.template.is_none() {
            return Err(format!("model `{id}`: an embedding needs a template of five points"));
        }
        let Some(beside) = &model.beside else {
            return Ok(());
        };
        let second = self.models.get(&beside.model).map(|entry| &entry.model);
        if !second.is_some_and(|second| second.job == Job::Embedding && second.beside.is_none()) {
            return Err(format!(
                "model `{id}`: `{}` beside it is no single embedding that stands before it",
                beside.model
            ));
        }
        if !(beside.weight > 0.0 && beside.weight.is_finite()) {
            return Err(format!("model `{id}`: the weight beside it must be above 0"));
        }
        Ok(())
    }

    /// The model with this id, or the default one of a job.
    pub fn model(&self, job: Job, id: Option<&str>) -> Result<&Model, ModelError> {
        let wrong = |message: String| ModelError::Manifest {
            manifest: self.name.clone(),
            message,
        };
        let id = match id.or(self.defaults.get(&job).map(String::as_str)) {
            Some(id) => id,
            None => return Err(wrong(format!("there is no default model for {job:?}"))),
        };
        let known = || {
            self.models()
                .filter(|model| model.job == job)
                .map(|model| model.id.as_str())
        };
        match self.models.get(id).map(|entry| &entry.model) {
            Some(model) if model.job == job => Ok(model),
            _ => Err(wrong(format!(
                "no model `{id}` for {job:?}; known are {}",
                known().collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// All models, by id.
    pub fn models(&self) -> impl Iterator<Item = &Model> {
        self.models.values().map(|entry| &entry.model)
    }

    /// The packages that the store is filled from.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The files that this machine's store has.
    pub fn store_files(&self) -> impl Iterator<Item = &StoreFile> {
        let files = self.packages.iter().flat_map(|package| &package.files);
        files.filter(|file| file.is_for(std::env::consts::ARCH))
    }

    /// The file of a model, after its hash was compared.
    pub fn checked_file(&self, store: &Store, model: &Model) -> Result<PathBuf, ModelError> {
        let folder = self.models.get(&model.id).and_then(|entry| entry.folder.as_ref());
        let Some(folder) = folder else {
            let path = store.root().join(&model.file);
            check_hash(&path, &model.sha256)?;
            return Ok(path);
        };
        // A site's own file: nothing can be fetched.
        let path = folder.join(&model.file);
        let wrong = |message: String| ModelError::Manifest {
            manifest: self.name.clone(),
            message: format!("model `{}`: {message}", model.id),
        };
        match check_hash(&path, &model.sha256) {
            Ok(()) => Ok(path),
            Err(ModelError::Missing { path }) => Err(wrong(format!(
                "its file `{}` is not there; put it there or correct `file`",
                path.display()
            ))),
            Err(ModelError::WrongHash { found, .. }) => Err(wrong(format!(
                "`{}` has sha256 {found}; write that if it is the right file",
                path.display()
            ))),
            Err(other) => Err(other),
        }
    }
}

fn in_one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', ", ")
}
