//! What a link needs for TLS: the certificate of the authority that the broker is known by, and the client's own with its
//! key. Invariant: the files are read at every connection, so that a certificate that was renewed is in use without a start;
//! nothing of a key is ever told. Floor 1; names no MQTT.

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A section of a configuration: files in PEM form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The client's certificate; of a gate, its common name is what the broker knows it by. Together with `key`, or neither.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    /// Takes relative paths as relative to a folder.
    pub fn within(&mut self, folder: &Path) {
        let files = [Some(&mut self.ca), self.certificate.as_mut(), self.key.as_mut()];
        files.into_iter().flatten().for_each(|file| *file = folder.join(&file));
    }

    /// Names a certificate without its key, or the other way round.
    pub fn is_half(&self) -> bool {
        self.certificate.is_some() != self.key.is_some()
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("cannot use `{path}` of {section}: {cause}; name a readable file in PEM form")]
    File {
        /// The section of the configuration.
        section: &'static str,
        /// The file.
        path: PathBuf,
        /// What was wrong.
        cause: PemError,
    },
    /// The files do not fit together.
    #[error("the files of {section} do not fit together: {cause}; name a certificate and its own key")]
    Refused {
        /// The section of the configuration.
        section: &'static str,
        /// What was wrong.
        cause: rustls::Error,
    },
}

/// The client's side of TLS, by what the files hold now; none where none are named. `section` names them in errors.
///
/// # Errors
/// When a file cannot be used.
pub fn client(files: Option<&TlsFiles>, section: &'static str) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let Some(files) = files else {
        return Ok(None);
    };
    let refused = |cause| TlsError::Refused { section, cause };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca, section)? {
        roots.add(certificate).map_err(refused)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots);
    let config = match files.certificate.as_ref().zip(files.key.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let read = PrivateKeyDer::from_pem_file(key).map_err(|cause| TlsError::File {
                section,
                path: key.clone(),
                cause,
            })?;
            let chain = certificates(certificate, section)?;
            builder.with_client_auth_cert(chain, read).map_err(refused)?
        }
    };
    Ok(Some(Arc::new(config)))
}

fn certificates(path: &Path, section: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |cause| TlsError::File {
        section,
        path: path.to_path_buf(),
        cause,
    };
    let read = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(failed)?;
    match certificates.is_empty() {
        true => Err(failed(PemError::NoItemsFound)),
        false => Ok(certificates),
    }
}

/// The line for a connection that failed because one side does not vouch for the other; none where it failed otherwise.
pub fn distrust(failure: &(dyn Error + 'static), section: &str) -> Option<String> {
    let mut next = Some(failure);
    while let Some(cause) = next {
        match cause.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidCertificate(_)) => {
                return Some(format!(
                    "the broker's certificate is not one to trust ({cause}); name in {section} ca the authority that signed it"
                ));
            }
            Some(rustls::Error::AlertReceived(_)) => {
                return Some(format!(
                    "the broker ended TLS ({cause}); name in {section} certificate and key that its authority signed"
                ));
            }
            _ => {}
        }
        // An error of input and output does not name its own inside as its source.
        let inside = cause.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        next = match inside {
            Some(inside) => Some(inside as &(dyn Error + 'static)),
            None => cause.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named_with_their_section() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.crt");
        std::fs::write(&empty, "no certificate").unwrap();
        for ca in [folder.path().join("missing.crt"), empty] {
            let files = TlsFiles {
                ca: ca.clone(),
                certificate: None,
                key: None,
            };
            let told = client(Some(&files), "[broker.tls]").unwrap_err().to_string();
            for part in [&ca.display().to_string(), "PEM", "[broker.tls]"] {
                assert!(told.contains(part), "{told}");
            }
        }
        assert!(client(None, "[broker.tls]").unwrap().is_none());
    }

    #[test]
    fn paths_are_relative_to_the_folder_and_a_certificate_needs_its_key() {
        let mut files = TlsFiles {
            ca: "ca.crt".into(),
            certificate: Some("/etc/own.crt".into()),
            key: None,
        };
        assert!(files.is_half());
        files.key = Some("own.key".into());
        files.within(Path::new("/srv"));
        assert!(!files.is_half());
        assert_eq!(files.ca, Path::new("/srv/ca.crt"));
        assert_eq!(files.certificate.as_deref(), Some(Path::new("/etc/own.crt")));
        assert_eq!(files.key.as_deref(), Some(Path::new("/srv/own.key")));
    }

    #[test]
    fn distrust_is_found_inside_of_other_errors() {
        let inside = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let told = distrust(&std::io::Error::other(inside), "[broker.tls]").unwrap();
        assert!(told.contains("[broker.tls] ca") && told.lines().count() == 1, "{told}");
        assert_eq!(distrust(&std::io::Error::other("cable"), "[broker.tls]"), None);
    }
}
