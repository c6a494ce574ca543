//! TLS to the agent: whom to trust, and what to show.

use std::path::Path;

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

use crate::{ClientCertificate, ConsulError, ConsulSettings};

/// The configuration that the settings ask for. Over plain HTTP it is not used.
pub(crate) fn config(settings: &ConsulSettings) -> Result<ClientConfig, ConsulError> {
    let roots = match &settings.ca_file {
        Some(path) => authority(path)?,
        None if settings.address.scheme() == "https" => return Err(ConsulError::AuthorityMissing),
        None => RootCertStore::empty(),
    };
    let config = ClientConfig::builder_with_provider(ring::default_provider().into()).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots);
    match &settings.certificate {
        None => Ok(config.with_no_client_auth()),
        Some(ClientCertificate { chain_file, key_file }) => {
            let unreadable = |setting, path: &Path| {
                let path = path.to_owned();
                move |source| ConsulError::File { setting, path, source }
            };
            let chain = certificates(chain_file).map_err(unreadable("consul.certificate_file", chain_file))?;
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(unreadable("consul.key_file", key_file))?;
            config.with_client_auth_cert(chain, key).map_err(ConsulError::ClientCertificate)
        }
    }
}

fn authority(path: &Path) -> Result<RootCertStore, ConsulError> {
    let unreadable = |source| ConsulError::File { setting: "consul.ca_file", path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(unreadable)? {
        roots.add(certificate).map_err(|_| ConsulError::Authority(path.to_owned()))?;
    }
    if roots.is_empty() {
        return Err(ConsulError::Authority(path.to_owned()));
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}
