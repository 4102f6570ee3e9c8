//! What a link needs for TLS: the certificate of the authority that the broker is known by, and this office's own with its
//! key. Invariant: the files are read at every connection, so that a certificate that was renewed is in use without a start;
//! nothing of a key is ever told. Names no MQTT.

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `[broker.outside.tls]`: files in PEM form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// This office's certificate, where the broker asks for one. Together with `key`, or neither.
    pub certificate: Option<PathBuf>,
    /// The key of that certificate.
    pub key: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("cannot use `{path}` of [broker.outside.tls]: {cause}; name a readable file in PEM form")]
    File {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        cause: PemError,
    },
    /// The files do not fit together.
    #[error("the files of [broker.outside.tls] do not fit together: {0}; name a certificate and its own key")]
    Refused(#[from] rustls::Error),
}

/// The client's side of TLS, by what the files hold now.
pub(super) fn client(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match files.certificate.as_ref().zip(files.key.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let read = PrivateKeyDer::from_pem_file(key);
            let read = read.map_err(|cause| TlsError::File {
                path: key.clone(),
                cause,
            })?;
            builder.with_client_auth_cert(certificates(certificate)?, read)?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |cause| TlsError::File {
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
