//! What can go wrong with a model or a picture, in words that name the file and the remedy.

use std::path::{Path, PathBuf};

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file is not there.
    #[error("`{path}` is not there; run `vong-models fetch`")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is not what the manifest says.
    #[error(
        "`{path}` is not the file of the manifest: expected sha256 {expected}, found {found}; delete it and run `vong-models fetch`"
    )]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// By the manifest.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The manifest is wrong.
    #[error("manifest `{manifest}`: {message}")]
    Manifest {
        /// The manifest.
        manifest: String,
        /// What is wrong and what to write instead.
        message: String,
    },
    /// ONNX Runtime cannot be loaded.
    #[error("cannot load ONNX Runtime `{path}`: {cause}; run `vong-models verify`")]
    Library {
        /// The library.
        path: PathBuf,
        /// What it said.
        cause: String,
    },
    /// ONNX Runtime cannot open the model.
    #[error(
        "cannot open model `{path}`: {cause}; the file may be cut short or no ONNX model: put a whole one there and write its sha256 into the manifest"
    )]
    Unopened {
        /// The model.
        path: PathBuf,
        /// What it said.
        cause: String,
    },
    /// ONNX Runtime cannot run the model, or its outputs are not those of its family.
    #[error("model `{path}` failed: {cause}; see whether `size` and `family` in the manifest are those of the file")]
    Session {
        /// The model.
        path: PathBuf,
        /// What it said.
        cause: String,
    },
    /// A picture cannot be used.
    #[error("picture `{path}`: {message}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

impl ModelError {
    /// ONNX Runtime cannot open this model.
    pub(crate) fn unopened(path: &Path, cause: &str) -> Self {
        Self::Unopened {
            path: path.to_path_buf(),
            cause: in_one_line(cause),
        }
    }

    /// This model cannot be run, or says something else than its family.
    pub(crate) fn failed(path: &Path, cause: &str) -> Self {
        Self::Session {
            path: path.to_path_buf(),
            cause: in_one_line(cause),
        }
    }
}

/// ONNX Runtime tells some causes in several lines, and as sentences.
fn in_one_line(cause: &str) -> String {
    let words: Vec<&str> = cause.split_whitespace().collect();
    words.join(" ").trim_end_matches('.').to_string()
}
