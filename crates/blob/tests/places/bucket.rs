//! A bucket over TLS, with wrong keys, and while its server is away.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use weft_blob::{BlobError, BlobStore, BucketSettings, Owner, PlaceSettings};
use weft_call::{Code, Error};
use weft_test_s3::Server;

use crate::given::{EXPORT, Given, Kept, bucket, pieces};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn open(settings: BucketSettings) -> BlobStore {
    BlobStore::open(&PlaceSettings::Bucket(settings)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_trusted_by_the_authority_that_is_named_alone() {
    let (ours, theirs, key) = (authority(), authority(), KeyPair::generate().unwrap());
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ours).unwrap();
    let server = Server::with_tls(&certificate.pem(), &key.serialize_pem()).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        Some(file)
    };
    let settings = |ca| BucketSettings { ca, ..bucket(&server.endpoint()) };
    open(settings(file("ours.pem", &ours.pem()))).check().await.unwrap();
    for ca in [file("theirs.pem", &theirs.pem()), None] {
        let error = open(settings(ca)).check().await.unwrap_err();
        assert!(matches!(error, BlobError::Unavailable(_)), "{error}");
    }
    for ca in [file("empty.pem", ""), Some(folder.path().join("nowhere.pem"))] {
        let error = BlobStore::open(&PlaceSettings::Bucket(settings(ca))).unwrap_err();
        assert!(matches!(error, BlobError::Authority { .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_refused_and_told_to_nobody() {
    let given = Given::start(Kept::InBucket);
    let server = given.server.as_ref().unwrap();
    let settings = BucketSettings { secret_access_key: "hunter2".into(), ..bucket(&server.endpoint()) };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let store = open(settings);
    let error = store.of("gallery").put(&given.call(), &EXPORT, Owner::Tenant, "text/csv", pieces(b"a\n")).await.unwrap_err();
    let text = format!("{error} {error:?} {store:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let error = Error::from(error);
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!error.message().contains("127.0.0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_whose_server_was_away_is_used_again() {
    let mut given = Given::start(Kept::InBucket);
    let call = given.call();
    given.server.as_mut().unwrap().stop();
    let put = async || given.blobs.put(&call, &EXPORT, Owner::Tenant, "text/csv", pieces(b"a\n")).await;
    let error = put().await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable(_)), "{error}");
    given.server.as_mut().unwrap().restart().unwrap();
    let key = put().await.unwrap().key;
    given.blobs.get(&call, &key).await.unwrap();
}
