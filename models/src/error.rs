//! What can go wrong with a model or a picture, in words that name the file and the remedy.

use std::path::PathBuf;

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
    /// ONNX Runtime cannot open or run the model.
    #[error("model `{path}` failed: {cause}")]
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
