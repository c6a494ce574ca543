//! Certificates and roots are replaced in their folder while calls go on.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::DefaultTimeProvider;
use rustls::{ClientConfig, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use weft_workload_identity::{CertificateSource, DomainPath, FileSource, client_config, server_config};

use crate::authority::{Authority, DAY, name, spiffe, trust_domain};
use crate::handshake::talk;
use crate::log::Log;
use crate::until;

const PERIOD: Duration = Duration::from_millis(5);

/// A folder with one workload's secret, replaced as the kubelet does: all files by one rename of a link.
struct Secret {
    folder: TempDir,
    workload: &'static str,
    versions: Mutex<u32>,
}

impl Secret {
    fn new(workload: &'static str, issuer: &Authority, trusted: &[&Authority]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(workload)).unwrap();
        let secret = Self { folder, workload, versions: Mutex::new(0) };
        secret.replace(issuer, trusted);
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(file), secret.path(file)).unwrap();
        }
        secret
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(self.workload).join(file)
    }

    fn replace(&self, issuer: &Authority, trusted: &[&Authority]) {
        let mut versions = self.versions.lock().unwrap();
        *versions += 1;
        let version = format!("..{versions}");
        let at = self.path(&version);
        fs::DirBuilder::new().mode(0o700).create(&at).unwrap();
        let (chain, key) = issuer.issue_pem(&Authority::params(vec![spiffe(self.workload)]));
        let roots: String = trusted.iter().map(|authority| authority.pem()).collect();
        for (file, content) in [("tls.crt", chain), ("tls.key", key), ("ca.crt", roots)] {
            write(&at.join(file), &content);
        }
        symlink(version, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
        // The kubelet removes the old version at once.
        let _ = fs::remove_dir_all(self.path(&format!("..{}", *versions - 1)));
    }

    fn watched(&self) -> Arc<FileSource> {
        let names = Arc::new(DomainPath);
        let clock = Arc::new(DefaultTimeProvider);
        Arc::new(FileSource::watch(self.folder.path(), trust_domain(), names, clock, PERIOD).unwrap())
    }

    fn read_once(&self) -> Arc<FileSource> {
        Arc::new(FileSource::open(self.folder.path(), trust_domain(), Arc::new(DomainPath), UnixTime::now()).unwrap())
    }

    fn leaf(&self, source: &FileSource) -> Vec<u8> {
        source.identity(&name(self.workload)).unwrap().chain()[0].to_vec()
    }
}

/// Whole at once: a test that wants half a file writes half of one.
fn write(path: &Path, content: &str) {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    fs::rename(new, path).unwrap();
}

/// Both ends of a connection.
type Connection = (server::TlsStream<TcpStream>, client::TlsStream<TcpStream>);

async fn connect(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = async { TlsAcceptor::from(server).accept(listener.accept().await.unwrap().0).await.unwrap() };
    let connecting = async {
        let stream = TcpStream::connect(address).await.unwrap();
        TlsConnector::from(client).connect(ServerName::try_from("somewhere.example").unwrap(), stream).await.unwrap()
    };
    tokio::join!(accepting, connecting)
}

async fn echo((server, client): &mut Connection) -> std::io::Result<()> {
    client.write_all(b"?").await?;
    server.read_u8().await?;
    server.write_all(b"!").await?;
    client.read_u8().await.map(drop)
}

/// What became of the calls while the authority of `edge` and `orders` was replaced.
#[derive(Debug, Default)]
struct Calls {
    done: usize,
    failed: usize,
}

/// Replaces the authority in the three steps of any such change (trust both, issue by the new one, trust the new one
/// alone), one workload after the other, while `edge` keeps calling `orders`: on one old connection and on ever new ones.
async fn calls_while_the_authority_is_replaced(is_callee_watched: bool) -> Calls {
    let (old, new) = (Authority::foreign(), Authority::new());
    let (edge, orders) = (Secret::new("edge", &old, &[&old]), Secret::new("orders", &old, &[&old]));
    let caller = edge.watched();
    let callee = if is_callee_watched { orders.watched() } else { orders.read_once() };
    let server = server_config(callee.clone(), &name("orders")).unwrap();
    let client = client_config(caller.clone(), &name("edge"), &name("orders")).unwrap();
    let mut held_open = connect(Arc::clone(&server), Arc::clone(&client)).await;
    let (calls, is_over) = (RefCell::new(Calls::default()), Cell::new(false));
    let calling = async {
        while !is_over.get() {
            let (called, calling) = talk(Arc::clone(&server), Arc::clone(&client)).await;
            let echoed = echo(&mut held_open).await;
            let mut calls = calls.borrow_mut();
            calls.done += 1;
            calls.failed += usize::from(called.is_err() || calling.is_err() || echoed.is_err());
        }
    };
    let replacing = async {
        for (issuer, trusted) in [(&old, vec![&*old, &*new]), (&new, vec![&*old, &*new]), (&new, vec![&*new])] {
            for (secret, source, is_watched) in [(&edge, &caller, true), (&orders, &callee, is_callee_watched)] {
                let (leaf, done) = (secret.leaf(source), calls.borrow().done);
                secret.replace(issuer, &trusted);
                until("the new certificate is not taken", || !is_watched || secret.leaf(source) != leaf).await;
                until("no calls", || calls.borrow().done > done + 5).await;
            }
        }
        is_over.set(true);
    };
    tokio::join!(calling, replacing);
    let (_, outsider) = talk(old_server(&old), client).await;
    assert!(outsider.is_err(), "the old authority is trusted still");
    calls.into_inner()
}

/// A server whose certificate is of the old authority.
fn old_server(old: &Arc<Authority>) -> Arc<ServerConfig> {
    server_config(old.source("orders"), &name("orders")).unwrap()
}

#[tokio::test]
async fn no_call_fails_while_leaf_and_roots_are_replaced() {
    let calls = calls_while_the_authority_is_replaced(true).await;
    assert!(calls.failed == 0 && calls.done > 30, "{calls:?}");
}

#[tokio::test]
async fn without_watching_calls_fail_once_the_authority_is_another() {
    let calls = calls_while_the_authority_is_replaced(false).await;
    assert!(calls.failed > 0 && calls.failed < calls.done, "{calls:?}");
}

/// A folder into which a person copies one file after the other.
fn copied(issuer: &Authority, workloads: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for workload in workloads {
        fs::create_dir(folder.path().join(workload)).unwrap();
        copy(issuer, folder.path(), workload);
    }
    folder
}

fn copy(issuer: &Authority, folder: &Path, workload: &str) {
    let (chain, key) = issuer.issue_pem(&Authority::params(vec![spiffe(workload)]));
    for (file, content) in [("ca.crt", issuer.pem()), ("tls.crt", &chain), ("tls.key", &key)] {
        write(&folder.join(workload).join(file), content);
    }
}

fn watched(folder: &Path) -> FileSource {
    FileSource::watch(folder, trust_domain(), Arc::new(DomainPath), Arc::new(DefaultTimeProvider), PERIOD).unwrap()
}

fn leaf(source: &FileSource, workload: &str) -> Vec<u8> {
    source.identity(&name(workload)).unwrap().chain()[0].to_vec()
}

/// Waits until the source has taken another certificate for the workload.
async fn renewed(source: &FileSource, workload: &str, last: &[u8]) {
    until("the new certificate is not taken", || leaf(source, workload) != last).await;
}

#[tokio::test]
async fn a_bad_file_leaves_what_was_read_before_and_is_logged_once_by_its_name() {
    let ca = Authority::new();
    let folder = copied(&ca, &["edge", "orders"]);
    let log = Log::default();
    let _capture = log.capture();
    let source = watched(folder.path());
    let kept = leaf(&source, "orders");
    let bad = folder.path().join("orders/tls.crt");
    write(&bad, "-----BEGIN CERTIFICATE-----\nhalf of");
    until("no warning", || !log.lines("WARN").is_empty()).await;
    // Others are renewed meanwhile, in more than one round.
    for _ in 0..2 {
        let last = leaf(&source, "edge");
        copy(&ca, folder.path(), "edge");
        renewed(&source, "edge", &last).await;
    }
    assert_eq!(leaf(&source, "orders"), kept);
    let warnings: Vec<_> = log.lines("WARN").into_iter().filter(|line| line.contains("/orders")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains(bad.to_str().unwrap()), "{warnings:?}");

    copy(&ca, folder.path(), "orders");
    renewed(&source, "orders", &kept).await;
    until("the end is not logged", || log.lines("INFO").iter().any(|line| line.contains("can be used again"))).await;
}

#[tokio::test]
async fn a_certificate_without_its_key_waits_for_it() {
    let ca = Authority::new();
    let folder = copied(&ca, &["orders"]);
    let log = Log::default();
    let _capture = log.capture();
    let source = watched(folder.path());
    let kept = leaf(&source, "orders");
    let (chain, key) = ca.issue_pem(&Authority::params(vec![spiffe("orders")]));
    write(&folder.path().join("orders/tls.crt"), &chain);
    until("no warning", || log.lines("WARN").iter().any(|line| line.contains("private key"))).await;
    assert_eq!(leaf(&source, "orders"), kept);
    write(&folder.path().join("orders/tls.key"), &key);
    renewed(&source, "orders", &kept).await;
}

#[tokio::test]
async fn a_new_folder_is_taken_and_a_removed_one_leaves_what_it_held() {
    let ca = Authority::new();
    let folder = copied(&ca, &["orders"]);
    let source = watched(folder.path());
    let kept = leaf(&source, "orders");
    fs::remove_dir_all(folder.path().join("orders")).unwrap();
    fs::create_dir(folder.path().join("edge")).unwrap();
    copy(&ca, folder.path(), "edge");
    until("the new folder is not taken", || source.identity(&name("edge")).is_ok()).await;
    assert_eq!(leaf(&source, "orders"), kept);
}

#[test]
fn the_next_expiry_is_that_of_the_first_certificate_to_expire() {
    let ca = Authority::new();
    let folder = copied(&ca, &["edge", "orders"]);
    let mut params = Authority::params(vec![spiffe("orders")]);
    params.not_after = (SystemTime::now() + DAY / 2).into();
    let (chain, key) = ca.issue_pem(&params);
    write(&folder.path().join("orders/tls.crt"), &chain);
    write(&folder.path().join("orders/tls.key"), &key);
    let source = FileSource::open(folder.path(), trust_domain(), Arc::new(DomainPath), UnixTime::now()).unwrap();
    let orders = source.identity(&name("orders")).unwrap().not_after();
    assert!(source.identity(&name("edge")).unwrap().not_after() > orders);
    assert_eq!(source.next_expiry(), Some(orders));
}
