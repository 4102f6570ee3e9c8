//! An authority for certificates of one's own, by the machine's `openssl`, in a temporary folder. Names: `localhost` and
//! 127.0.0.1, and a common name of choice.

use crate::{ServerError, find};
use std::path::{Path, PathBuf};
use std::process::Command;

const NAME: &str = "openssl";
const CONFIG: &str = "[req]
distinguished_name = name
prompt = no
[name]
CN = unused
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// An authority; it is forgotten with this value.
#[derive(Debug)]
pub struct Authority {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Authority {
    /// A new one, that nobody trusts yet.
    pub fn new() -> Result<Self, ServerError> {
        let program = find(NAME, []).ok_or(ServerError::Absent { program: NAME })?;
        let folder = tempfile::tempdir().map_err(|cause| ServerError::System { program: NAME, cause })?;
        let this = Self { program, folder };
        std::fs::write(this.path("openssl.cnf"), CONFIG)
            .map_err(|cause| ServerError::System { program: NAME, cause })?;
        this.request("ca", "authority", &["-extensions", "authority"])?;
        Ok(this)
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// A certificate and its key for a common name; `file` names both files.
    pub fn issue(&self, file: &str, common_name: &str) -> Result<(PathBuf, PathBuf), ServerError> {
        let signed = ["-extensions", "leaf", "-CA", "ca.crt", "-CAkey", "ca.key"];
        self.request(file, common_name, &signed)?;
        Ok((self.path(&format!("{file}.crt")), self.path(&format!("{file}.key"))))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn request(&self, file: &str, common_name: &str, more: &[&str]) -> Result<(), ServerError> {
        let folder: &Path = self.folder.path();
        let made = Command::new(&self.program)
            .args(["req", "-x509", "-config", "openssl.cnf", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", &format!("/CN={}", common_name.replace('/', "\\/"))])
            .args(["-keyout", &format!("{file}.key"), "-out", &format!("{file}.crt")])
            .args(more)
            .current_dir(folder)
            .output()
            .map_err(|cause| ServerError::System { program: NAME, cause })?;
        match made.status.success() {
            true => Ok(()),
            false => Err(ServerError::NotReady {
                program: NAME,
                log: String::from_utf8_lossy(&made.stderr).replace('\n', " | "),
            }),
        }
    }
}
