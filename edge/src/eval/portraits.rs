//! Photographs of single persons as embeddings, by the models of the gate. Invariant: every photograph that was asked for
//! has an answer, an embedding or the reason why there is none.

use super::table::folder_there;
use crate::cli::few;
use anyhow::{Context, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vong_models::face::{Embedding, FaceDetector, FaceEmbedder, subject};
use vong_models::{Manifest, ModelError, Store, open_picture};

/// Faces below this are not enrolled.
const LEAST_SCORE: f32 = 0.3;

/// Where the photographs lie and who looks at them.
#[derive(Debug, Args)]
pub struct PortraitArgs {
    /// Folder of the photographs.
    #[arg(long)]
    pub images: PathBuf,
    /// Model id for embeddings; the default one where not said.
    #[arg(long, value_name = "ID")]
    pub embedding: Option<String>,
    /// Model id for finding faces; the default one where not said.
    #[arg(long, value_name = "ID")]
    pub faces: Option<String>,
    /// A site's own manifest of models.
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    /// Threads of a model run.
    #[arg(long, default_value_t = 1, value_parser = few)]
    pub threads: usize,
    /// Say on standard error which photographs could not be enrolled.
    #[arg(long)]
    pub detail: bool,
}

/// What became of the photographs.
#[derive(Debug, Default)]
pub struct Portraits {
    embeddings: BTreeMap<String, Option<Embedding>>,
}

impl Portraits {
    /// The embedding of a photograph; none if it has no usable face.
    pub fn get(&self, file: &str) -> Option<&Embedding> {
        self.embeddings.get(file)?.as_ref()
    }

    /// Photographs without an embedding.
    pub fn failed(&self) -> usize {
        self.embeddings.values().filter(|embedding| embedding.is_none()).count()
    }
}

/// Embeds photographs; each file once.
///
/// # Errors
/// When a file is missing or the models cannot be run.
pub fn embed<'f>(args: &PortraitArgs, table: &Path, files: impl Iterator<Item = &'f str>) -> anyhow::Result<Portraits> {
    let mut portraits = Portraits::default();
    portraits.embeddings.extend(files.map(|file| (file.to_string(), None)));
    folder_there(&args.images)?;
    for file in portraits.embeddings.keys() {
        if !args.images.join(file).is_file() {
            let (table, images) = (table.display(), args.images.display());
            bail!("`{table}` names `{file}`, which is not in `{images}`; correct the table or add the picture");
        }
    }
    let (store, manifest) = (Store::locate(), Manifest::load(args.models.as_deref())?);
    let mut detector = FaceDetector::open(&store, &manifest, args.faces.as_deref(), args.threads)?;
    let mut embedder = FaceEmbedder::open(&store, &manifest, args.embedding.as_deref(), args.threads)?;
    let (all, mut found) = (portraits.embeddings.len(), Vec::new());
    for (number, (file, embedding)) in portraits.embeddings.iter_mut().enumerate() {
        match one(&args.images.join(file), &mut detector, &mut embedder, &mut found) {
            Ok(some) => *embedding = some,
            Err(reason @ (ModelError::Picture { .. } | ModelError::Unreadable { .. })) => {
                eprintln!("refused: {reason}")
            }
            Err(cause) => return Err(cause).context("the face models failed"),
        }
        if args.detail && embedding.is_none() {
            eprintln!("not enrolled: {file}");
        }
        if (number + 1) % 200 == 0 {
            eprintln!("{} of {all} photographs", number + 1);
        }
    }
    Ok(portraits)
}

fn one(
    path: &Path,
    detector: &mut FaceDetector,
    embedder: &mut FaceEmbedder,
    found: &mut Vec<vong_models::face::Face>,
) -> Result<Option<Embedding>, ModelError> {
    let picture = open_picture(path)?;
    detector.detect(&picture, LEAST_SCORE, found)?;
    match subject(found, picture.width(), picture.height()) {
        Some(face) => embedder.embed(&picture, &detector.points(&picture, face)?),
        None => Ok(None),
    }
}
