//! The watchlists in force. Invariant: they outlive a restart without a link, and are replaced as a whole or not at
//! all; a bundle that is not newer than the one in force changes nothing. The file holds embeddings, which are
//! biometric data: only the device's own user may read it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;
use vong_wire::WatchlistBundle;

/// Why watchlists cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the watchlists in `{path}`: {cause}; check that the disk is writable and not full")]
pub struct SyncError {
    action: &'static str,
    path: PathBuf,
    cause: std::io::Error,
}

/// The bundle in force, for workers to read and for the publisher to report.
#[derive(Debug)]
pub struct Watchlists {
    path: PathBuf,
    bundle: RwLock<Arc<WatchlistBundle>>,
    version: watch::Sender<u64>,
}

impl Watchlists {
    /// Takes up what was in force before; none where there was none or where the file cannot be understood, since
    /// central sends it again when it sees the version.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join("watchlists.json");
        let none = WatchlistBundle {
            version: 0,
            lists: vec![],
        };
        let bundle = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|cause| {
                tracing::warn!(path = %path.display(), %cause, "the saved watchlists cannot be read; central will send them again");
                none
            }),
            Err(_) => none,
        };
        let (version, _) = watch::channel(bundle.version);
        Self {
            path,
            bundle: RwLock::new(Arc::new(bundle)),
            version,
        }
    }

    /// The bundle in force.
    pub fn current(&self) -> Arc<WatchlistBundle> {
        self.bundle.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reports every change of version.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Puts a newer bundle in force, first on the disk. Says whether it did.
    pub fn replace(&self, bundle: WatchlistBundle) -> Result<bool, SyncError> {
        if bundle.version <= self.current().version {
            return Ok(false);
        }
        let failed = |action| {
            move |cause| SyncError {
                action,
                path: self.path.clone(),
                cause,
            }
        };
        let bytes = serde_json::to_vec(&bundle).map_err(|cause| failed("write")(cause.into()))?;
        write_privately(&self.path, &bytes).map_err(failed("write"))?;
        let version = bundle.version;
        *self.bundle.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(bundle);
        self.version.send_replace(version);
        Ok(true)
    }
}

fn write_privately(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let part = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(version: u64) -> WatchlistBundle {
        WatchlistBundle { version, lists: vec![] }
    }

    #[test]
    fn the_newest_bundle_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let lists = Watchlists::open(folder.path());
        let version = lists.version();
        assert!(lists.replace(bundle(3)).unwrap());
        assert!(!lists.replace(bundle(3)).unwrap(), "the same version was taken twice");
        assert!(!lists.replace(bundle(2)).unwrap(), "an older version was taken");
        assert_eq!(*version.borrow(), 3);
        assert_eq!(Watchlists::open(folder.path()).current().version, 3);
    }

    #[test]
    fn only_its_owner_may_read_it_and_a_broken_file_is_none() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        Watchlists::open(folder.path()).replace(bundle(1)).unwrap();
        let path = folder.path().join("watchlists.json");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, b"{").unwrap();
        assert_eq!(Watchlists::open(folder.path()).current().version, 0);
    }

    #[test]
    fn a_full_or_missing_disk_is_said_and_the_old_bundle_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lists = Watchlists::open(&folder.path().join("gone"));
        let error = lists.replace(bundle(1)).unwrap_err().to_string();
        assert!(error.contains("watchlists.json") && error.contains("disk"), "{error}");
        assert_eq!(lists.current().version, 0);
    }
}
