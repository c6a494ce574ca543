//! A Redis over TLS is trusted by the authority that is named, and by no other.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use secrecy::SecretString;
use weft_cache::{CacheError, Redis};
use weft_test_redis::Server;

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn server(name: &str, authority: &CertifiedIssuer<'static, KeyPair>) -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    Server::with_tls(&certificate.pem(), &key.serialize_pem()).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_server_of_another_authority_or_name_is_not_spoken_to() {
    let (ours, theirs) = (authority(), authority());
    let (right, misnamed) = (server("127.0.0.1", &ours), server("localhost", &ours));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (our_file, their_file) = (file("ours.pem", ours.pem()), file("theirs.pem", theirs.pem()));
    let at = |server: &Server, ca: Option<&PathBuf>| {
        Redis::trusted_by(&SecretString::from(server.address()), ca.map(PathBuf::as_path)).unwrap()
    };
    at(&right, Some(&our_file)).ping().await.unwrap();
    for refused in [at(&right, Some(&their_file)), at(&right, None), at(&misnamed, Some(&our_file))] {
        let error = refused.ping().await.unwrap_err();
        assert!(matches!(error, CacheError::Unavailable(_)), "{error}");
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_read_or_do_not_go_with_the_address_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let open = |url: &str, ca: &PathBuf| Redis::trusted_by(&SecretString::from(url), Some(ca)).unwrap_err();
    for ca in [&empty, &folder.path().join("nowhere.pem")] {
        assert!(matches!(open("rediss://127.0.0.1:1", ca), CacheError::Authority { .. }));
    }
    assert!(matches!(open("redis://127.0.0.1:1", &empty), CacheError::NotOverTls));
}
