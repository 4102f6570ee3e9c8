//! Where the models lie. Invariant: a path is handed out, never guessed again elsewhere.

use std::path::{Path, PathBuf};

/// A folder of fetched and converted models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store of this process: `VONG_STORE`, else `models/store` under the working folder.
    pub fn locate() -> Self {
        Self::at(std::env::var_os("VONG_STORE").map_or_else(|| PathBuf::from("models/store"), PathBuf::from))
    }

    /// A store in this folder.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the store.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The fetched ONNX Runtime.
    pub fn onnx_runtime(&self) -> PathBuf {
        self.file("libonnxruntime.so.1.31.1")
    }
}
