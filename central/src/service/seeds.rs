//! Seed files: what a first start knows. Every `*.toml` of the folder is read; a file whose content was taken in before
//! is left alone, so that it never undoes what people changed since.

use super::operating_point::{OperatingPoint, SeedList};
use super::photographs::NOT_THIS;
use crate::domain::{ListContent, Province, Site, User};
use crate::store::{Seeds, Store, StoreError};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use vong_wire::UnixMs;

/// Why seeds are refused. Nothing of a folder with a fault is taken in.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The folder or a file cannot be read.
    #[error("cannot read seeds `{path}`: {cause}; check the key `seeds` of the configuration")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// No TOML, or a key that is unknown, missing or of the wrong kind.
    #[error("seeds `{path}`, line {line}: {message}; correct that line")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// Well formed, but it cannot be.
    #[error("seeds `{path}`, {place}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// What is at fault.
        place: String,
        /// What is wrong and what to write instead.
        message: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One seed file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    #[serde(default, rename = "province")]
    provinces: Vec<Province>,
    #[serde(default, rename = "site")]
    sites: Vec<Site>,
    #[serde(default, rename = "list")]
    lists: Vec<SeedList>,
    #[serde(default, rename = "user")]
    users: Vec<User>,
}

/// Reads and checks the seed files of a folder, in the order of their names. No operating point is in force.
pub fn read_seeds(folder: &Path) -> Result<Seeds, SeedError> {
    read_seeds_for(folder, None)
}

/// The same, with the operating points that were made with this embedding model.
fn read_seeds_for(folder: &Path, model: Option<&str>) -> Result<Seeds, SeedError> {
    let unreadable = |path: &Path| {
        let path = path.to_path_buf();
        move |cause| SeedError::Unreadable { path, cause }
    };
    let mut paths = Vec::new();
    for item in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = item.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut seeds = Seeds::default();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        let file = parse(&text, &path)?;
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let mut taken = Sha256::new_with_prefix(text.as_bytes());
        if file.lists.iter().any(|list| list.operating_point.is_some()) {
            // Another model: the file says something else now.
            taken.update(model.unwrap_or_default());
        }
        seeds.files.push((name, hex(&taken.finalize())));
        seeds.provinces.extend(file.provinces);
        seeds.sites.extend(file.sites);
        seeds
            .lists
            .extend(file.lists.into_iter().map(|list| list.with_model(model)));
        seeds.users.extend(file.users);
    }
    let provinces: HashSet<_> = seeds.provinces.iter().map(|province| &province.id).collect();
    let lost = |site: &&Site| {
        site.province
            .as_ref()
            .is_some_and(|province| !provinces.contains(province))
    };
    if let Some(site) = seeds.sites.iter().find(lost) {
        return Err(SeedError::Value {
            path: folder.to_path_buf(),
            place: format!("site `{}`", site.id),
            message: "names a province that no seed file has; add the province or correct the name",
        });
    }
    Ok(seeds)
}

/// Takes the seeds of a folder in, unless each file was taken in before as it is; whether anything was taken. `model` is
/// the one that embeds photographs here, where it is known.
pub async fn take_seeds(
    store: &dyn Store,
    folder: &Path,
    model: Option<&str>,
    now_ms: UnixMs,
) -> Result<bool, SeedError> {
    let seeds = read_seeds_for(folder, model)?;
    let mut changed = false;
    for (name, sha256) in &seeds.files {
        changed |= store.seed_sha256(name).await?.as_ref() != Some(sha256);
    }
    if changed {
        store.take_seeds(&seeds, now_ms).await?;
    }
    Ok(changed)
}

fn parse(text: &str, path: &Path) -> Result<SeedFile, SeedError> {
    let file: SeedFile = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..start].iter().filter(|&&b| b == b'\n').count();
        SeedError::Syntax {
            path: path.to_path_buf(),
            line,
            message: error.message().replace('\n', ", "),
        }
    })?;
    match first_fault(&file) {
        None => Ok(file),
        Some((place, message)) => Err(SeedError::Value {
            path: path.to_path_buf(),
            place,
            message,
        }),
    }
}

fn first_fault(file: &SeedFile) -> Option<(String, &'static str)> {
    for site in &file.sites {
        let gates: HashSet<_> = site.gates.iter().map(|gate| &gate.id).collect();
        let cameras = site.devices.iter().flat_map(|device| device.cameras.iter());
        for (camera, line) in cameras.flat_map(|camera| camera.lines.iter().map(move |line| (camera, line))) {
            if line.gate.as_ref().is_some_and(|gate| !gates.contains(gate)) {
                let place = format!("site `{}`, camera `{}`, line `{}`", site.id, camera.id, line.id);
                return Some((
                    place,
                    "names a gate that the site does not have; add the gate or correct the name",
                ));
            }
        }
    }
    for list in &file.lists {
        for entry in &list.entries {
            let place = format!("list `{}`, entry `{}`", list.id, entry.id);
            let plate = entry.plate.as_deref().unwrap_or_default();
            match list.kind {
                ListContent::Faces if entry.photographs.iter().all(|source| source.starts_with(NOT_THIS)) => {
                    return Some((place, "has no photographs; a list of faces needs at least one an entry"));
                }
                ListContent::Plates if !is_normal_form(plate) => {
                    return Some((
                        place,
                        "needs a plate in normal form: upper case, no separators, as 51F99999",
                    ));
                }
                _ => {}
            }
        }
        let place = format!("list `{}`", list.id);
        if list.threshold.is_some() && list.operating_point.is_some() {
            return Some((place, "has a threshold and an operating point; keep one of them"));
        }
        if let Some(message) = list.operating_point.as_ref().and_then(OperatingPoint::fault) {
            return Some((place, message));
        }
        if list
            .threshold
            .is_some_and(|threshold| !(-1.0..=1.0).contains(&threshold))
        {
            return Some((place, "threshold must lie between -1 and 1"));
        }
    }
    None
}

fn is_normal_form(plate: &str) -> bool {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == 'Đ';
    (4..=12).contains(&plate.chars().count()) && plate.chars().all(allowed)
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    const GOOD: &str = r#"
        [[province]]
        id = "dong-nai"
        name = { vi = "Đồng Nai", en = "Dong Nai" }
        [[site]]
        id = "park"
        province = "dong-nai"
        name = { vi = "Khu", en = "Park" }
        [[site.gate]]
        id = "a"
        name = { vi = "Cổng", en = "Gate" }
        [[site.device]]
        id = "edge-1"
        name = { vi = "Trạm", en = "Box" }
        [[site.device.camera]]
        id = "walkway"
        name = { vi = "Lối", en = "Walkway" }
        [[site.device.camera.line]]
        id = "main"
        gate = "a"
        name = { vi = "Vạch", en = "Line" }
        [[list]]
        id = "banned"
        name = { vi = "Cấm", en = "Banned" }
        severity = "alarm"
        kind = "plates"
        [[list.entry]]
        id = "one"
        label = { vi = "Xe", en = "Vehicle" }
        plate = "60A66666"
    "#;

    fn check(from: &str, to: &str, expected: &str) {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD, "{from:?} is not in the text");
        let error = parse(&text, Path::new("park.toml")).unwrap_err().to_string();
        assert!(
            error.contains("park.toml") && error.contains(expected),
            "{error:?} does not say {expected:?}"
        );
        assert!(!error.contains('\n'), "{error:?} is more than a line");
    }

    #[test]
    fn faults_are_named_with_place_and_remedy() {
        assert!(parse(GOOD, Path::new("park.toml")).is_ok());
        check(
            "gate = \"a\"",
            "gate = \"b\"",
            "camera `walkway`, line `main`: names a gate",
        );
        check(
            "plate = \"60A66666\"",
            "plate = \"60A-666.66\"",
            "entry `one`: needs a plate in normal form",
        );
        check("plate = \"60A66666\"", "", "entry `one`: needs a plate");
        check("kind = \"plates\"", "kind = \"faces\"", "has no photographs");
        check("kind = \"plates\"", "kind = \"cars\"", "line 26");
        check("severity", "urgency", "unknown field `urgency`");
        check(
            "id = \"edge-1\"",
            "id = \"Edge 1\"",
            "device id `Edge 1` is not allowed",
        );
        check("kind =", "threshold = 3.0\nkind =", "between -1 and 1");
    }

    #[tokio::test]
    async fn a_file_is_taken_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("park.toml");
        std::fs::write(&path, GOOD).unwrap();
        std::fs::write(folder.path().join("note.md"), "not a seed").unwrap();
        let store = SqliteStore::open(&folder.path().join("vong.sqlite")).await.unwrap();
        assert!(take_seeds(&store, folder.path(), None, 1).await.unwrap());
        assert!(!take_seeds(&store, folder.path(), None, 2).await.unwrap());
        std::fs::write(&path, GOOD.replace("60A66666", "60A77777")).unwrap();
        assert!(take_seeds(&store, folder.path(), None, 3).await.unwrap());
        let directory = store.directory().await.unwrap();
        assert_eq!(directory.lists[0].entries[0].plate.as_deref(), Some("60A77777"));
    }

    #[tokio::test]
    async fn an_operating_point_is_in_force_for_its_model_only() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"
            [[list]]
            id = "wanted"
            name = { vi = "Truy nã", en = "Wanted" }
            severity = "alarm"
            kind = "faces"
            [list.operating_point]
            threshold = 0.5
            model = "dlib"
            fpir_asked = 0.01
            fpir = 0.009
            fpir_interval = [0.004, 0.017]
            non_mated = 1000
            fnir = 0.1
            fnir_interval = [0.05, 0.15]
            mated = 300
            gallery = 300
            date = "2026-01-02"
            [[list.entry]]
            id = "a"
            label = { vi = "A", en = "A" }
            photographs = ["models:a.png", "not:b.png"]
        "#;
        let path = folder.path().join("lists.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write(text);
        let store = SqliteStore::open(&folder.path().join("vong.sqlite")).await.unwrap();
        for (now_ms, model, threshold) in [(1, "dlib", Some(0.5)), (2, "other", None), (3, "dlib", Some(0.5))] {
            let taken = take_seeds(&store, folder.path(), Some(model), now_ms).await.unwrap();
            assert!(taken, "the model changed to {model}, the seeds did not");
            assert_eq!(
                store.directory().await.unwrap().lists[0].threshold,
                threshold,
                "{model}"
            );
        }
        assert!(!take_seeds(&store, folder.path(), Some("dlib"), 4).await.unwrap());
        for (good, bad, part) in [
            ("non_mated = 1000", "non_mated = 200", "non-mated trials"),
            ("threshold = 0.5", "threshold = 1.5", "between -1 and 1"),
            ("date = \"2026-01-02\"", "", "date"),
            ("kind =", "threshold = 0.4\nkind =", "keep one"),
            ("\"models:a.png\", ", "", "no photographs"),
        ] {
            write(&text.replace(good, bad));
            let error = read_seeds(folder.path()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("lists.toml"), "{error}");
        }
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = read_seeds(Path::new("nowhere/seeds")).unwrap_err().to_string();
        assert!(error.contains("nowhere/seeds"), "{error}");
    }
}
