//! Certificates from a real Consul agent, and from one that a test scripts.

use std::cell::{Cell, RefCell};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::KeyPair;
use rustls::time_provider::DefaultTimeProvider;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;
use url::Url;
use weft_test_consul::{Agent, TestConsulError};
use weft_workload_identity::{
    CertificateSource, ConsulConnect, ConsulError, ConsulSettings, IdentityError, Token, client_config, peer_identity,
    server_config,
};

use crate::authority::{Authority, name, uri};
use crate::handshake::talk;
use crate::log::Log;
use crate::until;

fn agent(started: Result<Agent, TestConsulError>) -> Agent {
    match started {
        Ok(agent) => agent,
        Err(error) => panic!("{error}"),
    }
}

fn settings(address: Url) -> ConsulSettings {
    ConsulSettings::new(address)
}

async fn open(settings: &ConsulSettings, workloads: &[&str]) -> Result<ConsulConnect, IdentityError> {
    let workloads: Vec<_> = workloads.iter().map(|workload| name(workload)).collect();
    ConsulConnect::open(settings, &workloads, Arc::new(DefaultTimeProvider)).await
}

/// The agent's certificates for these workloads, once its authority is there: it elects itself before it makes one.
async fn source(agent: &Agent, workloads: &[&str]) -> Arc<ConsulConnect> {
    source_of(&settings(agent.http().unwrap()), workloads).await
}

async fn source_of(settings: &ConsulSettings, workloads: &[&str]) -> Arc<ConsulConnect> {
    let mut opened = open(settings, workloads).await;
    for _ in 0..100 {
        if !matches!(opened, Err(IdentityError::ConsulAuthority | IdentityError::Consul(ConsulError::Refused { .. }))) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        opened = open(settings, workloads).await;
    }
    Arc::new(opened.unwrap())
}

fn leaf(source: &ConsulConnect, workload: &str) -> Vec<u8> {
    source.identity(&name(workload)).unwrap().chain()[0].to_vec()
}

/// Makes the agent's authority another one, by a new key.
fn replace_the_authority(agent: &Agent) {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let config = json!({"PrivateKey": key, "LeafCertTTL": "72h", "RotationPeriod": "2160h"});
    let body = json!({"Provider": "consul", "Config": config}).to_string();
    let address = agent.http().unwrap();
    let mut stream = TcpStream::connect((address.host_str().unwrap(), address.port().unwrap())).unwrap();
    write!(stream, "PUT /v1/connect/ca/configuration HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_holds_several_workloads_presents_the_right_one_for_each() {
    let agent = agent(Agent::start());
    let source = source(&agent, &["orders", "payments", "edge"]).await;
    for callee in ["orders", "payments"] {
        let server = server_config(source.clone(), &name(callee)).unwrap();
        let client = client_config(source.clone(), &name("edge"), &name(callee)).unwrap();
        let (server, client) = talk(server, client).await;
        assert_eq!(peer_identity(source.as_ref(), &server.unwrap().peer).unwrap().workload, name("edge"));
        assert_eq!(peer_identity(source.as_ref(), &client.unwrap().peer).unwrap().workload, name(callee));
    }
    let id = source.identity(&name("orders")).unwrap().spiffe_id().to_string();
    assert!(id.ends_with(".consul/ns/default/dc/dc1/svc/orders"), "{id}");
    let first = ["orders", "payments", "edge"].map(|workload| source.identity(&name(workload)).unwrap().not_after());
    assert_eq!(source.next_expiry(), first.into_iter().min());
    let unknown = source.identity(&name("catalog"));
    assert!(matches!(unknown, Err(IdentityError::UnknownWorkload(_))), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_while_consul_replaces_its_authority() {
    let agent = agent(Agent::start());
    let (caller, callee) = (source(&agent, &["edge"]).await, source(&agent, &["orders"]).await);
    let server = server_config(callee.clone(), &name("orders")).unwrap();
    let client = client_config(caller.clone(), &name("edge"), &name("orders")).unwrap();
    let (failures, done, is_over) = (RefCell::new(Vec::new()), Cell::new(0_usize), Cell::new(false));
    let calling = async {
        while !is_over.get() {
            let (called, calling) = talk(Arc::clone(&server), Arc::clone(&client)).await;
            failures.borrow_mut().extend(called.err().into_iter().chain(calling.err()));
            done.set(done.get() + 1);
            sleep(Duration::from_millis(20)).await;
        }
    };
    let replacing = async {
        let (edge, orders, roots) = (leaf(&caller, "edge"), leaf(&callee, "orders"), caller.roots());
        tokio::task::block_in_place(|| replace_the_authority(&agent));
        until("the roots are not taken", || !Arc::ptr_eq(&caller.roots(), &roots)).await;
        // The agent spreads this over half a minute.
        until("no new certificates", || leaf(&caller, "edge") != edge && leaf(&callee, "orders") != orders).await;
        let so_far = done.get();
        until("no calls", || done.get() > so_far + 5).await;
        is_over.set(true);
    };
    tokio::join!(calling, replacing);
    assert!(failures.borrow().is_empty(), "{} of {}: {failures:?}", failures.borrow().len(), done.get());
}

#[tokio::test]
async fn a_lost_agent_leaves_the_certificate_and_raises_one_alarm_until_it_is_back() {
    let mut agent = agent(Agent::start());
    let source = source(&agent, &["edge", "orders"]).await;
    let log = Log::default();
    let _capture = log.capture();
    let held = leaf(&source, "orders");
    agent.stop();
    until("no alarm", || source.is_stale()).await;
    let server = server_config(source.clone(), &name("orders")).unwrap();
    let client = client_config(source.clone(), &name("edge"), &name("orders")).unwrap();
    // Longer than the roots and both certificates need to notice.
    sleep(Duration::from_secs(1)).await;
    let (called, calling) = talk(Arc::clone(&server), Arc::clone(&client)).await;
    called.unwrap();
    calling.unwrap();
    assert_eq!(leaf(&source, "orders"), held);
    assert_eq!(log.lines("WARN").len(), 1, "{:?}", log.lines("WARN"));

    // It remembers nothing: its authority and its trust domain are new ones.
    agent.restart().unwrap();
    until("the alarm is not over", || !source.is_stale()).await;
    until("no new certificates", || leaf(&source, "orders") != held).await;
    until("they do not suit the roots", || {
        let trust_domain = source.roots().trust_domain().clone();
        ["edge", "orders"].iter().all(|own| *source.identity(&name(own)).unwrap().spiffe_id().trust_domain() == trust_domain)
    })
    .await;
    let (called, calling) = talk(server, client).await;
    called.unwrap();
    calling.unwrap();
}

#[tokio::test]
async fn only_who_shows_the_token_gets_a_certificate() {
    const TOKEN: &str = "5a3d1a9e-8b2d-4f0e-9a53-6b1a9b0e7a11";
    let agent = agent(Agent::with_token(TOKEN));
    let with_token = |token: &str| ConsulSettings {
        token: Token::new(Some(&SecretString::from(token))).unwrap(),
        ..settings(agent.http().unwrap())
    };
    let insider = source_of(&with_token(TOKEN), &["orders"]).await;
    insider.identity(&name("orders")).unwrap();
    let outsider = open(&with_token("00000000-0000-0000-0000-000000000001"), &["orders"]).await;
    let is_refused = matches!(&outsider, Err(IdentityError::Consul(ConsulError::Refused { status, .. })) if *status == 403);
    assert!(is_refused, "{outsider:?}");
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_an_error_at_the_start() {
    let refused = open(&settings("http://127.0.0.1:1".parse().unwrap()), &["orders"]).await;
    assert!(matches!(refused, Err(IdentityError::Consul(ConsulError::Unreachable(_)))), "{refused:?}");
}

/// What a scripted agent gives: the roots, and one certificate after the other until the last.
struct Script {
    roots: String,
    leaves: Vec<String>,
}

impl Script {
    /// Certificates for `orders`, each with so much of its life over, in hundredths.
    fn new(authority: &Authority, ages: &[u32]) -> Self {
        let roots = json!({"TrustDomain": "weft.local", "Roots": [{"RootCert": authority.pem()}]}).to_string();
        let leaves = ages.iter().map(|age| {
            let mut params = Authority::params(vec![uri("spiffe://weft.local/ns/default/dc/dc1/svc/orders")]);
            params.not_before = (SystemTime::now() - Duration::from_secs(1) * *age).into();
            params.not_after = (SystemTime::now() + Duration::from_secs(1) * (100 - *age)).into();
            let (chain, key) = authority.issue_pem(&params);
            json!({"CertPEM": chain, "PrivateKeyPEM": key}).to_string()
        });
        Self { roots, leaves: leaves.collect() }
    }

    /// Serves until dropped. A blocking query waits for ever.
    async fn serve(self) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let mut leaves = self.leaves.into_iter().peekable();
            let mut waiting = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 1024];
                let length = stream.read(&mut head).await.unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                if head.contains("index=") {
                    waiting.push(stream);
                    continue;
                }
                let body = if head.contains("/roots") {
                    self.roots.clone()
                } else {
                    let leaf = leaves.next().unwrap();
                    if leaves.peek().is_none() {
                        leaves = vec![leaf.clone()].into_iter().peekable();
                    }
                    leaf
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nx-consul-index: 7\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }
}

#[tokio::test]
async fn a_certificate_past_seventy_percent_is_asked_for_though_no_blocking_query_answers() {
    let address = Script::new(&Authority::new(), &[71, 71, 0]).serve().await;
    let source = open(&settings(address), &["orders"]).await.unwrap();
    let (first, expiry) = (leaf(&source, "orders"), source.next_expiry());
    until("no new certificate", || leaf(&source, "orders") != first && source.next_expiry() > expiry).await;
    assert!(!source.is_stale());
}

#[tokio::test]
async fn a_certificate_that_nears_its_end_raises_an_alarm() {
    let log = Log::default();
    let _capture = log.capture();
    let address = Script::new(&Authority::new(), &[95]).serve().await;
    let source = open(&settings(address), &["orders"]).await.unwrap();
    until("no alarm", || log.lines("ERROR").iter().any(|line| line.contains("orders"))).await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(log.lines("ERROR").len(), 1);
    drop(source);
}

#[tokio::test]
async fn a_certificate_that_peers_would_refuse_is_not_taken() {
    let authority = Authority::new();
    let mut script = Script::new(&authority, &[71]);
    script.leaves.extend(Script::new(&Authority::foreign(), &[0]).leaves);
    let source = open(&settings(script.serve().await), &["orders"]).await.unwrap();
    let held = leaf(&source, "orders");
    until("no alarm", || source.is_stale()).await;
    assert_eq!(leaf(&source, "orders"), held);
}

#[tokio::test]
async fn what_the_agent_gives_is_checked_before_it_is_used() {
    let script = |roots: &str, leaf: &str| Script { roots: roots.to_owned(), leaves: vec![leaf.to_owned()] };
    let good = Script::new(&Authority::new(), &[0]);
    let (roots, leaf) = (good.roots.as_str(), good.leaves[0].as_str());
    let trustless = roots.replace("weft.local", "not a domain");
    for (given, expected) in [
        (script("{}", leaf), "cannot be read"),
        (script(&trustless, leaf), "trust domain"),
        (script(r#"{"TrustDomain": "", "Roots": null}"#, leaf), "has no certificate authority"),
        (script(r#"{"TrustDomain": "weft.local", "Roots": []}"#, leaf), "has no certificate authority"),
        (script(roots, r#"{"CertPEM": "", "PrivateKeyPEM": ""}"#), "private key"),
    ] {
        let error = open(&settings(given.serve().await), &["orders"]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let other = open(&settings(good.serve().await), &["payments"]).await.unwrap_err();
    assert!(matches!(other, IdentityError::OtherWorkload { .. }), "{other}");
}
