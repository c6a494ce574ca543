//! Whom servers outside of the mesh are proven by.

use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::error::TransportError;

/// What HTTP/2 is called in a TLS handshake (RFC 9113 section 3.2).
pub(super) const ALPN_HTTP2: &[u8] = b"h2";

/// Trusts the authorities in a PEM file, or those that the Web trusts.
pub(super) fn client_config(authorities: Option<&Path>) -> Result<Arc<ClientConfig>, TransportError> {
    let roots = match authorities {
        Some(file) => read(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TransportError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn read(file: &Path) -> Result<RootCertStore, TransportError> {
    let unreadable = |source| TransportError::Authorities { file: file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
        roots.add(certificate.map_err(unreadable)?).map_err(TransportError::Tls)?;
    }
    if roots.is_empty() { Err(TransportError::NoAuthority { file: file.to_owned() }) } else { Ok(roots) }
}
