//! The watchlists as devices get them: every photograph becomes an embedding, once. Invariant: a photograph that cannot
//! be used costs its own entry only, is named with its fault, and is looked at again at the next start.

use super::photographs::{NOT_THIS, PhotographFault, PhotographFolders, decode, read_photograph};
use super::seeds::hex;
use crate::domain::{Directory, List, ListContent};
use crate::store::{FaceVector, PhotographRow, Store, StoreError};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use vong_models::face::{Face, FaceDetector, FaceEmbedder, subject};
use vong_models::{Job, Manifest, ModelError, Store as ModelStore};
use vong_wire::{EntryId, FaceEntry, ListId, ListKind, PlateEntry, UnixMs, Watchlist, WatchlistBundle};

/// A face of a list's photograph must be at least this sure.
const LEAST_SCORE: f32 = 0.5;
/// Another face of this share of the subject's height: whose photograph it is cannot be told.
const AS_LARGE: f32 = 0.6;

/// Which models embed the photographs.
#[derive(Debug, Clone)]
pub struct FaceModels {
    /// The fetched files.
    pub store: ModelStore,
    /// A site's own manifest.
    pub manifest: Option<std::path::PathBuf>,
    /// Model id for finding faces; the default one where not said.
    pub faces: Option<String>,
    /// Model id for embeddings; the default one where not said.
    pub embedding: Option<String>,
}

impl FaceModels {
    /// The embedding model's id; none where the manifest has none, which is told when the models are opened.
    pub fn embedding_id(&self) -> Option<String> {
        let manifest = Manifest::load(self.manifest.as_deref()).ok()?;
        let model = manifest.model(Job::Embedding, self.embedding.as_deref()).ok()?;
        Some(model.id.clone())
    }
}

/// Finds and embeds the face of a photograph.
struct Embedder {
    detector: FaceDetector,
    embedder: FaceEmbedder,
}

impl Embedder {
    fn open(models: &FaceModels) -> Result<Self, ModelError> {
        let manifest = Manifest::load(models.manifest.as_deref())?;
        Ok(Self {
            detector: FaceDetector::open(&models.store, &manifest, models.faces.as_deref(), 1)?,
            embedder: FaceEmbedder::open(&models.store, &manifest, models.embedding.as_deref(), 1)?,
        })
    }

    fn embed(&mut self, bytes: &[u8]) -> Result<FaceVector, PhotographFault> {
        let failed = |cause: ModelError| PhotographFault::Model(cause.to_string());
        let picture = decode(bytes)?;
        let mut faces = Vec::new();
        self.detector
            .detect(&picture, LEAST_SCORE, &mut faces)
            .map_err(failed)?;
        let face = the_one(&faces, picture.dimensions())?;
        let points = self.detector.points(&picture, &face).map_err(failed)?;
        let embedding = self.embedder.embed(&picture, &points).map_err(failed)?;
        let embedding = embedding.ok_or(PhotographFault::NoFace)?;
        Ok(FaceVector {
            model: embedding.model,
            vector: embedding.vector,
        })
    }
}

/// The face that a photograph is of.
fn the_one(faces: &[Face], (width, height): (u32, u32)) -> Result<Face, PhotographFault> {
    let face = subject(faces, width, height).ok_or(PhotographFault::NoFace)?;
    let as_large = |other: &&Face| other.bbox.height() > face.bbox.height() * AS_LARGE;
    match faces.iter().filter(as_large).count() {
        1 => Ok(*face),
        _ => Err(PhotographFault::SeveralFaces(faces.len())),
    }
}

/// Embeds the photographs that are new or changed, or that another model embedded.
///
/// # Errors
/// When the store fails. Models that cannot be opened are logged: what was embedded before stays in force.
pub async fn embed_photographs(
    store: &Arc<dyn Store>,
    folders: &PhotographFolders,
    models: &FaceModels,
) -> Result<(), StoreError> {
    let rows = store.photographs().await?;
    if rows.is_empty() {
        return Ok(());
    }
    let (folders, models) = (folders.clone(), models.clone());
    let looked_at = tokio::task::spawn_blocking(move || look_at(rows, &folders, &models)).await;
    let looked_at = looked_at.map_err(|cause| StoreError::Unavailable(cause.into()))?;
    for row in looked_at {
        store.put_photograph(&row).await?;
    }
    Ok(())
}

/// The rows that changed.
fn look_at(rows: Vec<PhotographRow>, folders: &PhotographFolders, models: &FaceModels) -> Vec<PhotographRow> {
    let mut embedder = match Embedder::open(models) {
        Ok(embedder) => embedder,
        Err(cause) => {
            tracing::error!(%cause, "photographs of watchlists cannot be embedded; run `vong-models fetch` and start again");
            return Vec::new();
        }
    };
    let model = embedder.embedder.model().to_string();
    let mut changed = Vec::new();
    for mut row in rows {
        let path = folders.path(&row.source).ok_or(PhotographFault::Outside);
        let bytes = path.and_then(|path| read_photograph(&path));
        let sha256 = bytes.as_ref().ok().map(|bytes| hex(&Sha256::digest(bytes)));
        let known = row.face.as_ref().is_some_and(|face| face.model == model);
        if known && (sha256.is_none() || sha256 == row.sha256) {
            continue;
        }
        let face = bytes.and_then(|bytes| embedder.embed(&bytes));
        row.sha256 = sha256;
        (row.face, row.fault) = match face {
            Ok(face) => (Some(face), None),
            Err(fault) => {
                tracing::error!(list = %row.list, entry = %row.entry, photograph = row.place, %fault, "a photograph cannot be used; the other entries are searched");
                (None, Some(fault.to_string()))
            }
        };
        changed.push(row);
    }
    changed
}

/// Puts the bundle together and gives it its version: the one in force if its content is the same, else a newer one,
/// above `above`, which a device has in force.
pub async fn make_bundle(
    store: &Arc<dyn Store>,
    directory: &Directory,
    above: u64,
    now_ms: UnixMs,
) -> Result<WatchlistBundle, StoreError> {
    let mut faces = Faces::new();
    for row in store.photographs().await? {
        if let Some(face) = row.face {
            let (these, others) = faces.entry((row.list, row.entry)).or_default();
            if row.source.starts_with(NOT_THIS) {
                others
            } else {
                these
            }
            .push(face);
        }
    }
    let lists: Vec<Watchlist> = directory.lists.iter().map(|list| watchlist(list, &faces)).collect();
    let coded = serde_json::to_vec(&lists).map_err(|cause| StoreError::Refused(cause.into()))?;
    let sha256 = hex(&Sha256::digest(&coded));
    let version = store.bundle_version(&sha256, above, now_ms.max(1) as u64).await?;
    Ok(WatchlistBundle { version, lists })
}

/// Of each entry, the faces that are it and those that are confirmed not to be it.
type Faces = BTreeMap<(ListId, EntryId), (Vec<FaceVector>, Vec<FaceVector>)>;

fn watchlist(list: &List, faces: &Faces) -> Watchlist {
    let kind = match list.kind {
        ListContent::Plates => ListKind::Plates {
            entries: list
                .entries
                .iter()
                .filter_map(|entry| {
                    Some(PlateEntry {
                        id: entry.id.clone(),
                        plate: entry.plate.clone()?,
                        colour: entry.colour,
                    })
                })
                .collect(),
        },
        ListContent::Faces => {
            let of_entry = |entry: &EntryId| faces.get(&(list.id.clone(), entry.clone()));
            let mut model = String::new();
            let mut entries = Vec::new();
            for (entry, (these, others)) in list
                .entries
                .iter()
                .filter_map(|entry| Some((entry, of_entry(&entry.id)?)))
            {
                let Some(first) = these.first() else { continue };
                model.clone_from(&first.model);
                entries.push(FaceEntry {
                    id: entry.id.clone(),
                    embeddings: these.iter().map(|face| face.vector.clone()).collect(),
                    not_this: others.iter().map(|face| face.vector.clone()).collect(),
                });
            }
            ListKind::Faces {
                model,
                threshold: list.threshold,
                entries,
            }
        }
    };
    Watchlist {
        id: list.id.clone(),
        severity: list.severity,
        exercise: list.exercise,
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vong_models::{BBoxPx, PointPx};

    fn face(height: f32) -> Face {
        Face {
            bbox: BBoxPx::new(0.0, 0.0, height, height),
            score: 0.9,
            points: [PointPx { x: 0.0, y: 0.0 }; 5],
        }
    }

    #[test]
    fn who_is_confirmed_not_to_be_an_entry_travels_with_it() {
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
        let seeds = crate::service::read_seeds(&seeds).unwrap();
        let list = seeds.lists.iter().find(|list| list.kind == ListContent::Faces).unwrap();
        let face = |value: f32| FaceVector {
            model: "m".into(),
            vector: vec![value],
        };
        let mut faces = Faces::new();
        let key = |place: usize| (list.id.clone(), list.entries[place].id.clone());
        faces.insert(key(0), (vec![face(1.0)], vec![face(2.0)]));
        faces.insert(key(1), (vec![], vec![face(3.0)]));
        let ListKind::Faces { entries, model, .. } = watchlist(list, &faces).kind else {
            panic!("no list of faces")
        };
        assert_eq!(
            (entries.len(), model.as_str()),
            (1, "m"),
            "nobody but not somebody is no entry"
        );
        assert_eq!(
            (&entries[0].embeddings, &entries[0].not_this),
            (&vec![vec![1.0]], &vec![vec![2.0]])
        );
    }

    #[test]
    fn a_photograph_is_of_its_largest_face_unless_two_are_as_large() {
        let height = |faces: &[Face]| the_one(faces, (200, 200)).map(|face| face.bbox.height());
        assert!(matches!(height(&[]), Err(PhotographFault::NoFace)));
        assert!(height(&[face(20.0), face(100.0)]).is_ok_and(|height| height > 99.0));
        assert!(matches!(
            height(&[face(70.0), face(100.0)]),
            Err(PhotographFault::SeveralFaces(2))
        ));
    }

    #[tokio::test]
    async fn the_same_content_keeps_its_version_and_a_device_is_always_overtaken() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(
            crate::store::SqliteStore::open(&folder.path().join("vong.sqlite"))
                .await
                .unwrap(),
        );
        let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
        store
            .take_seeds(&crate::service::read_seeds(&seeds).unwrap(), 1)
            .await
            .unwrap();
        let directory = store.directory().await.unwrap();
        let first = make_bundle(&store, &directory, 0, 1_000).await.unwrap();
        assert_eq!(first, make_bundle(&store, &directory, 0, 2_000).await.unwrap());
        let plates = first.lists.iter().filter_map(|list| match &list.kind {
            ListKind::Plates { entries } => Some(entries.len()),
            ListKind::Faces { .. } => None,
        });
        assert_eq!(plates.sum::<usize>(), 1);
        let above = first.version + 500;
        assert!(make_bundle(&store, &directory, above, 2_000).await.unwrap().version > above);
    }
}
