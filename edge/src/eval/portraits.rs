//! Photographs of single persons as embeddings, by the models of the gate. Invariant: every photograph that was asked for
//! has an answer, an embedding or the reason why there is none.

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
    #[arg(long, default_value_t = 1)]
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
        Some(face) => embedder.embed(&picture, &face.points),
        None => Ok(None),
    }
}

/// Reads a table with these columns, in any order; more columns are allowed.
///
/// # Errors
/// When the file cannot be read or a column or value is missing; the text names the file and the line.
pub fn read_table<const N: usize>(path: &Path, columns: [&str; N]) -> anyhow::Result<Vec<[String; N]>> {
    let text = std::fs::read(path)
        .with_context(|| format!("cannot read table `{}`; name an existing file", path.display()))?;
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_slice());
    let place = |line: u64| format!("table `{}`, line {line}", path.display());
    let head = reader
        .headers()
        .with_context(|| format!("{}: no readable head", place(1)))?
        .clone();
    let mut places = [0; N];
    for (place_of, column) in places.iter_mut().zip(columns) {
        let found = head
            .iter()
            .position(|name| name.trim_start_matches('\u{feff}') == column);
        *place_of = found.with_context(|| {
            format!(
                "{}: no column `{column}`; the columns are {}",
                place(1),
                columns.join(",")
            )
        })?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.with_context(|| format!("{}: not readable", place(rows.len() as u64 + 2)))?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut row = std::array::from_fn(|_| String::new());
        for ((value, at), column) in row.iter_mut().zip(places).zip(columns) {
            let given = record.get(at).unwrap_or_default();
            if given.is_empty() {
                bail!("{}: no value for `{column}`; fill it in", place(line));
            }
            *value = given.to_string();
        }
        rows.push(row);
    }
    if rows.is_empty() {
        bail!("table `{}` has no rows; give at least one", path.display());
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, text).unwrap();
        match (read_table(&path, ["a", "b", "same"]), expected) {
            (Ok(rows), Ok(count)) => assert_eq!(rows.len(), count, "{text:?}"),
            (Err(error), Err(part)) => {
                let said = format!("{error:#}");
                assert!(
                    said.contains("pairs.csv") && said.contains(part),
                    "{said:?} does not say {part:?}"
                );
            }
            (got, expected) => panic!("{text:?}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn tables_are_read_or_refused_with_their_place() {
        check("a,b,same\nx,y,1\n", Ok(1));
        check("\u{feff}same,b,more,a\r\n1,y,z,x\r\n0,y,z,x\r\n", Ok(2));
        check("a,b\nx,y\n", Err("no column `same`"));
        check("a,b,same\nx,y,1\nx,,0\n", Err("line 3: no value for `b`"));
        check("a,b,same\nx,y\n", Err("line 2: no value for `same`"));
        check("a,b,same\n", Err("no rows"));
        check("", Err("no column `a`"));
        assert!(
            read_table(Path::new("nowhere/pairs.csv"), ["a"])
                .unwrap_err()
                .to_string()
                .contains("nowhere/pairs.csv")
        );
    }
}
