//! The development CA and its folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier};
use std::thread;

use tempfile::TempDir;
use weft_workload_identity::{CertificateSource, DevelopmentCa, IdentityError, client_config, server_config};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::authority::{StoppedClock, name, trust_domain};
use crate::handshake::talk;

/// A folder that does not exist yet.
fn folder() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("certificates");
    (parent, folder)
}

fn open(folder: &Path) -> Result<DevelopmentCa, IdentityError> {
    DevelopmentCa::open(folder, trust_domain())
}

fn open_in_days(folder: &Path, days: u32) -> Result<DevelopmentCa, IdentityError> {
    DevelopmentCa::open_with_clock(folder, trust_domain(), StoppedClock::in_days(days))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn workloads_of_two_processes_on_one_folder_talk() {
    let (_parent, folder) = folder();
    let (first, second) = (Arc::new(open(&folder).unwrap()), Arc::new(open(&folder).unwrap()));
    let server = server_config(first, &name("orders")).unwrap();
    let client = client_config(second, &name("edge"), &name("orders")).unwrap();
    let (server, client) = talk(server, client).await;
    server.unwrap();
    client.unwrap();
}

#[test]
fn reopening_keeps_the_authority_and_the_certificates() {
    let (_parent, folder) = folder();
    let orders = open(&folder).unwrap().identity(&name("orders")).unwrap();
    let authority = fs::read(folder.join("ca.crt")).unwrap();
    let again = open(&folder).unwrap().identity(&name("orders")).unwrap();
    assert_eq!(fs::read(folder.join("ca.crt")).unwrap(), authority);
    assert_eq!(again.chain(), orders.chain());
}

#[test]
fn processes_that_start_at_once_agree() {
    let (_parent, folder) = folder();
    let together = Barrier::new(8);
    let chains: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    let ca = open(&folder).unwrap();
                    ca.identity(&name("orders")).unwrap().chain().to_vec()
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(chains.iter().all(|chain| *chain == chains[0]));
}

#[test]
fn a_certificate_is_replaced_when_half_its_life_is_over() {
    let (_parent, folder) = folder();
    let first = open(&folder).unwrap().identity(&name("orders")).unwrap();
    let young = open_in_days(&folder, 3).unwrap().identity(&name("orders")).unwrap();
    assert_eq!(young.chain(), first.chain());
    let renewed = open_in_days(&folder, 4).unwrap().identity(&name("orders")).unwrap();
    assert_ne!(renewed.chain(), first.chain());
    assert!(renewed.not_after() > first.not_after());
}

#[test]
fn an_expired_certificate_is_replaced() {
    let (_parent, folder) = folder();
    let first = open(&folder).unwrap().identity(&name("orders")).unwrap();
    let renewed = open_in_days(&folder, 30).unwrap().identity(&name("orders")).unwrap();
    assert_ne!(renewed.chain(), first.chain());
}

#[test]
fn keys_are_private_to_their_owner() {
    let (_parent, folder) = folder();
    open(&folder).unwrap().identity(&name("orders")).unwrap();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("ca.key")), 0o600);
    assert_eq!(mode(&folder.join("orders")), 0o700);
    assert_eq!(mode(&folder.join("orders/tls.key")), 0o600);
    let mut left: Vec<_> = fs::read_dir(folder.join("orders")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["tls.crt", "tls.key"]);
}

#[test]
fn a_key_that_others_may_read_is_refused_by_name() {
    let (_parent, folder) = folder();
    open(&folder).unwrap().identity(&name("orders")).unwrap();
    for key in ["orders/tls.key", "ca.key"] {
        let key = folder.join(key);
        set_mode(&key, 0o640);
        let error = open(&folder).and_then(|ca| ca.identity(&name("orders"))).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(key.to_str().unwrap()), "{sentence}");
        assert!(sentence.contains("0640"), "{sentence}");
        set_mode(&key, 0o600);
    }
    open(&folder).unwrap().identity(&name("orders")).unwrap();
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let (_parent, folder) = folder();
    open(&folder).unwrap();
    set_mode(&folder, 0o755);
    let error = open(&folder).unwrap_err();
    assert!(matches!(error, IdentityError::LooseMode { mode: 0o755, .. }), "{error}");
}

#[test]
fn an_authority_of_another_trust_domain_is_refused() {
    let (_parent, folder) = folder();
    open(&folder).unwrap();
    let error = DevelopmentCa::open(&folder, "other.local".parse().unwrap()).unwrap_err();
    assert!(matches!(error, IdentityError::DevelopmentCa { .. }), "{error}");
}

#[test]
fn an_authority_with_anothers_key_is_refused() {
    let ((_first, ours), (_second, theirs)) = (folder(), folder());
    open(&ours).unwrap();
    open(&theirs).unwrap();
    fs::copy(theirs.join("ca.key"), ours.join("ca.key")).unwrap();
    let error = open(&ours).unwrap_err();
    assert!(matches!(error, IdentityError::DevelopmentCa { .. }), "{error}");
}

#[test]
fn an_authority_about_to_expire_is_refused() {
    let (_parent, folder) = folder();
    open(&folder).unwrap();
    open_in_days(&folder, 3640).unwrap();
    let error = open_in_days(&folder, 3645).unwrap_err();
    assert!(matches!(error, IdentityError::DevelopmentCa { .. }), "{error}");
}

#[test]
fn what_a_crash_left_half_written_is_made_anew() {
    let (_parent, folder) = folder();
    open(&folder).unwrap();
    // It died between the key and the certificate of the authority, and while it wrote a file.
    fs::remove_file(folder.join("ca.crt")).unwrap();
    fs::write(folder.join(".ca.key.new"), "half").unwrap();
    let ca = open(&folder).unwrap();
    let first = ca.identity(&name("orders")).unwrap();
    ca.identity(&name("edge")).unwrap();
    // It died between the key and the certificate of a workload.
    fs::copy(folder.join("edge/tls.key"), folder.join("orders/tls.key")).unwrap();
    let second = open(&folder).unwrap().identity(&name("orders")).unwrap();
    assert_ne!(second.chain(), first.chain());
}

#[test]
fn a_certificate_says_who_it_is_for_and_nothing_more() {
    let (_parent, folder) = folder();
    let orders = open(&folder).unwrap().identity(&name("orders")).unwrap();
    assert_eq!(orders.chain().len(), 1);
    let (_, leaf) = parse_x509_certificate(&orders.chain()[0]).unwrap();
    assert_eq!(leaf.subject().iter().count(), 0);
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    let id = GeneralName::URI("spiffe://weft.local/domain/orders");
    assert_eq!(names.value.general_names, [id]);
    assert!(names.critical, "RFC 5280, section 4.2.1.6: the subject is empty");
    let usage = leaf.key_usage().unwrap().unwrap();
    assert_eq!(usage.value.flags, 1, "digitalSignature alone");
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.any && extended.other.is_empty());
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
}

#[test]
fn nothing_expires_before_a_certificate_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let ca = open(&folder.path().join("ca")).unwrap();
    assert_eq!(ca.next_expiry(), None);
    let identity = ca.identity(&name("orders")).unwrap();
    assert_eq!(ca.next_expiry(), Some(identity.not_after()));
}
