//! TLS to carriers.

use rustls::{ClientConfig, RootCertStore};

/// Trusts the roots that the Web trusts.
pub(crate) fn client() -> ClientConfig {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
