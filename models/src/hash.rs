//! SHA-256 of files and of what is part of the program. Invariant: what was compared is told by name, with the hash that was
//! found; a file is read for it once a process. Knows nothing of models and manifests.

use crate::error::ModelError;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Compares a file's SHA-256 with the expected one; a file is read once a process.
pub fn check_hash(path: &Path, expected: &str) -> Result<(), ModelError> {
    static CHECKED: Mutex<Option<HashSet<(PathBuf, String)>>> = Mutex::new(None);
    let key = (path.to_path_buf(), expected.to_string());
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let checked = checked.get_or_insert_default();
    if checked.contains(&key) {
        return Ok(());
    }
    let found = sha256_of(path)?;
    if found != expected {
        return Err(ModelError::WrongHash {
            path: path.to_path_buf(),
            expected: expected.to_string(),
            found,
        });
    }
    checked.insert(key);
    Ok(())
}

/// Compares the SHA-256 of a model that is part of the program with the expected one.
pub fn check_bytes(name: &str, bytes: &[u8], expected: &str) -> Result<(), ModelError> {
    let found = sha256_of_bytes(bytes);
    if found == expected {
        return Ok(());
    }
    Err(ModelError::WrongHash {
        path: PathBuf::from(name),
        expected: expected.to_string(),
        found,
    })
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String, ModelError> {
    let unreadable = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => ModelError::Missing {
            path: path.to_path_buf(),
        },
        _ => ModelError::Unreadable {
            path: path.to_path_buf(),
            cause,
        },
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&buffer[..read]);
    }
}
