//! Members of packages in the user's cache folder, each under its SHA-256, so that a second clone downloads nothing.

use crate::hash::sha256_of_bytes;
use anyhow::{Context, Result};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A folder of files named by their hashes.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `VONG_CACHE`, else `vong` in the user's cache folder (`XDG_CACHE_HOME`, `~/.cache`), else beside the store.
    pub fn locate(store: &Path) -> Self {
        let of = |key: &str| {
            std::env::var_os(key)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let folder = of("VONG_CACHE")
            .or_else(|| of("XDG_CACHE_HOME").map(|folder| folder.join("vong")))
            .or_else(|| of("HOME").map(|folder| folder.join(".cache/vong")))
            .unwrap_or_else(|| store.join(".cache"));
        Self { folder }
    }

    /// The member with this hash, if it is there and whole; a damaged one is as good as none.
    pub fn get(&self, sha256: &str) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.folder.join(sha256)).ok()?;
        (sha256_of_bytes(&bytes) == sha256).then_some(bytes)
    }

    /// Keeps a member whose hash was compared.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn put(&self, sha256: &str, bytes: &[u8]) -> Result<()> {
        write_whole(&self.folder.join(sha256), bytes)
    }
}

/// Writes a file that is there whole or not at all, under whatever ends this process.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut part = tempfile::Builder::new().suffix(".part").tempfile_in(folder)?;
        part.write_all(bytes)?;
        part.as_file().sync_all()?;
        let file = part.persist(path).map_err(|error| error.error)?;
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))
    };
    write().with_context(|| {
        format!(
            "cannot write `{}`; is the disk full or the folder protected?",
            path.display()
        )
    })
}
