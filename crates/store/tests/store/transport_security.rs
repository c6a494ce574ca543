//! PostgreSQL by TLS: `sslmode=verify-full` believes the authority that is named and nobody else.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use secrecy::SecretString;
use weft_store::{Databases, Settings, StoreError};
use weft_test_postgres::{Certificate, Guarded};

/// A throw-away authority.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(by: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, by).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// The address of a server, as whoever trusts the authority in `file` writes it.
fn address(server: &Guarded, mode: &str, file: &std::path::Path) -> SecretString {
    let mut url = server.url().clone();
    url.set_query(None);
    url.query_pairs_mut().append_pair("sslmode", mode).append_pair("sslrootcert", &file.display().to_string());
    url.to_string().into()
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_and_a_name_that_is_not_the_server_s_are_refused() {
    let (ours, theirs, folder) = (authority(), authority(), tempfile::tempdir().unwrap());
    let (our_file, their_file) = (folder.path().join("ours.pem"), folder.path().join("theirs.pem"));
    std::fs::write(&our_file, ours.pem()).unwrap();
    std::fs::write(&their_file, theirs.pem()).unwrap();
    let (chain, key) = issued(&ours, "localhost");
    let server = Guarded::start(Some(Certificate { chain: &chain, key: &key })).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(server.url().host_str(), Some("localhost"));

    let open = async |mode, file| Databases::open(&Settings::postgres(address(&server, mode, file))).await;
    open("verify-full", &our_file).await.unwrap();
    let error = open("verify-full", &their_file).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
    let error = open("disable", &our_file).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "without TLS the server lets nobody in: {error:?}");

    let (chain, key) = issued(&ours, "elsewhere.example.org");
    let other = Guarded::start(Some(Certificate { chain: &chain, key: &key })).unwrap_or_else(|error| panic!("{error}"));
    let error = Databases::open(&Settings::postgres(address(&other, "verify-full", &our_file))).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "another's name is refused: {error:?}");
}
