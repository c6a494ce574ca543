//! Certificates that something else put into a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use tempfile::TempDir;
use weft_workload_identity::{
    CertificateSource as _, DevelopmentCa, DomainPath, FileSource, IdentityError, PeerError, client_config, server_config,
};

use crate::authority::{DAY, name, trust_domain};
use crate::handshake::talk;

/// A folder as cert-manager would fill it, for `orders` and `edge`.
fn mounted() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join(".ca");
    let authority = DevelopmentCa::open(&ca, trust_domain()).unwrap();
    for workload in ["orders", "edge"] {
        authority.identity(&name(workload)).unwrap();
        let own = folder.path().join(workload);
        fs::rename(ca.join(workload), &own).unwrap();
        fs::copy(ca.join("ca.crt"), own.join("ca.crt")).unwrap();
    }
    folder
}

fn open_at(folder: &Path, now: UnixTime) -> Result<FileSource, IdentityError> {
    FileSource::open(folder, trust_domain(), Arc::new(DomainPath), now)
}

fn open(folder: &Path) -> Result<FileSource, IdentityError> {
    open_at(folder, UnixTime::now())
}

#[tokio::test]
async fn workloads_with_mounted_certificates_talk() {
    let folder = mounted();
    let source = Arc::new(open(folder.path()).unwrap());
    let server = server_config(source.clone(), &name("orders")).unwrap();
    let client = client_config(source, &name("edge"), &name("orders")).unwrap();
    let (server, client) = talk(server, client).await;
    server.unwrap();
    client.unwrap();
}

#[test]
fn a_workload_without_folder_is_unknown() {
    let folder = mounted();
    let unknown = open(folder.path()).unwrap().identity(&name("payments"));
    assert!(matches!(unknown, Err(IdentityError::UnknownWorkload(_))), "{unknown:?}");
}

#[test]
fn a_key_is_open_to_a_group_at_most() {
    let folder = mounted();
    let key = folder.path().join("orders/tls.key");
    for (mode, accepted) in [(0o440, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let opened = open(folder.path());
        let refused = matches!(&opened, Err(IdentityError::LooseMode { path, .. }) if *path == key);
        assert_eq!((opened.is_ok(), refused), (accepted, !accepted), "{mode:o}");
    }
}

#[test]
fn a_certificate_in_anothers_folder_is_refused() {
    let folder = mounted();
    for file in ["tls.crt", "tls.key"] {
        fs::copy(folder.path().join("edge").join(file), folder.path().join("orders").join(file)).unwrap();
    }
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, IdentityError::OtherWorkload { .. }), "{error}");
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let folder = mounted();
    fs::copy(folder.path().join("edge/tls.key"), folder.path().join("orders/tls.key")).unwrap();
    let error = open(folder.path()).unwrap_err();
    assert!(matches!(error, IdentityError::Key(_)), "{error}");
}

#[test]
fn a_certificate_that_peers_would_refuse_is_refused_at_the_start() {
    let folder = mounted();
    let error = open_at(folder.path(), UnixTime::since_unix_epoch(since_epoch() + DAY * 8)).unwrap_err();
    let expired = matches!(error, IdentityError::Certificate(PeerError::Chain(webpki::Error::CertExpired { .. })));
    assert!(expired, "{error}");
}

fn since_epoch() -> std::time::Duration {
    std::time::Duration::from_secs(UnixTime::now().as_secs())
}

#[test]
fn what_is_missing_or_no_pem_is_named() {
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        let folder = mounted();
        let path = folder.path().join("orders").join(file);
        fs::write(&path, "nothing of the kind").unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        fs::remove_file(&path).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = open(empty.path()).unwrap_err();
    assert!(matches!(error, IdentityError::NoCertificate(_)), "{error}");
}
