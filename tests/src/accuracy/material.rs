//! What there is to measure on: a folder with `video`, `faces/*` and `plates/*`, as docs/guide/accuracy.md lays it out.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Crossings of one line in one clip.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Crossings {
    /// Clip below `video`.
    pub file: String,
    /// `person` or `vehicle`.
    pub class: String,
    /// x1,y1,x2,y2.
    pub line: String,
    /// True crossings inward.
    #[serde(rename = "in")]
    pub entered: u64,
    /// True crossings outward.
    #[serde(rename = "out")]
    pub left: u64,
}

/// A folder of material.
#[derive(Debug, Default)]
pub struct Material {
    /// The folder.
    pub root: PathBuf,
    /// Lines with true crossings.
    pub crossings: Vec<Crossings>,
    /// Clips with annotated tracks: clip and truth, below the folder.
    pub tracks: Vec<(String, String)>,
    /// Sets of photographs with `pairs.csv`.
    pub pairs: Vec<String>,
    /// Sets of photographs with `identify.csv`.
    pub protocols: Vec<String>,
    /// Sets of pictures of vehicles with `truth.csv`.
    pub plates: Vec<String>,
}

impl Material {
    /// Looks through a folder; what is not there is not measured.
    ///
    /// # Errors
    /// When the folder or the table of crossings cannot be read.
    pub fn find(root: &Path) -> Result<Self> {
        let mut found = Self {
            root: root.to_path_buf(),
            ..Self::default()
        };
        let missing = || {
            format!(
                "cannot read the folder `{}`; docs/guide/accuracy.md says how to lay it out",
                root.display()
            )
        };
        std::fs::read_dir(root).with_context(missing)?;
        let table = root.join("video/truth.csv");
        if table.exists() {
            found.crossings = crossings(&table)?;
        }
        for name in names(&root.join("video")) {
            let truth = name.strip_suffix(".gt.txt");
            let clip = truth
                .map(|stem| format!("video/{stem}.mp4"))
                .filter(|clip| root.join(clip).exists());
            found.tracks.extend(clip.map(|clip| (clip, format!("video/{name}"))));
        }
        for set in names(&root.join("faces")) {
            let set = format!("faces/{set}");
            if root.join(&set).join("pairs.csv").exists() {
                found.pairs.push(set.clone());
            }
            if root.join(&set).join("identify.csv").exists() {
                found.protocols.push(set);
            }
        }
        for set in names(&root.join("plates")) {
            let set = format!("plates/{set}");
            if root.join(&set).join("truth.csv").exists() {
                found.plates.push(set);
            }
        }
        Ok(found)
    }

    /// A path of the folder as an argument.
    pub fn path(&self, below: &str) -> String {
        self.root.join(below).to_string_lossy().into_owned()
    }
}

fn crossings(table: &Path) -> Result<Vec<Crossings>> {
    let shown = table.display();
    let bytes = std::fs::read(table).with_context(|| format!("cannot read table `{shown}`"))?;
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let mut rows = Vec::new();
    for row in reader.deserialize() {
        let at = || {
            format!(
                "table `{shown}`, row {}; its columns are file,class,line,in,out",
                rows.len() + 1
            )
        };
        rows.push(row.with_context(at)?);
    }
    Ok(rows)
}

fn names(folder: &Path) -> Vec<String> {
    let items = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = items
        .map(|item| item.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a folder can be made");
            std::fs::write(path, text).expect("a file can be written");
        };
        write(
            "video/truth.csv",
            "\u{feff}file,class,line,in,out,more\r\na.mp4,person,\"0,0.5,1,0.5\",3,4,x\n",
        );
        write("video/a.mp4", "");
        write("video/a.gt.txt", "");
        write("video/b.gt.txt", "");
        write("faces/own/pairs.csv", "");
        write("plates/gate/truth.csv", "");
        let found = Material::find(folder.path()).expect("it can be read");
        assert_eq!(found.crossings[0].line, "0,0.5,1,0.5");
        assert_eq!(
            found.tracks,
            [("video/a.mp4".to_string(), "video/a.gt.txt".to_string())]
        );
        assert_eq!(
            (found.pairs.len(), found.protocols.len(), found.plates.len()),
            (1, 0, 1)
        );
        assert!(Material::find(&folder.path().join("none")).is_err());
        for (text, part) in [
            (
                "file,class,line,in\na.mp4,person,\"0,0.5,1,0.5\",3\n",
                "missing field `out`",
            ),
            ("file,class,line,in,out\na.mp4,person,\"0,0.5,1,0.5\",3,x\n", "row 1"),
            (
                "file,class,line,in,out\na.mp4,person,\"0,0.5,1,0.5\",3,-1\n",
                "invalid digit",
            ),
        ] {
            write("video/truth.csv", text);
            let said = format!("{:#}", Material::find(folder.path()).expect_err("it is wrong"));
            assert!(
                said.contains(part) && said.contains("truth.csv"),
                "{said:?} does not say {part:?}"
            );
        }
    }
}
