//! An agent, and what the tests ask of it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch::Receiver,
    time::{sleep, timeout},
};
use url::Url;
use weft_discovery::{Consul, ConsulSettings, Endpoint, Endpoints, Resolver, Service};
use weft_test_consul::{Agent, TestConsulError};

/// Longer than the agent's time to live of a check, and than any retry.
const LIMIT: Duration = Duration::from_secs(40);

pub(crate) fn agent(started: Result<Agent, TestConsulError>) -> Agent {
    match started {
        Ok(agent) => agent,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn settings(address: Url) -> ConsulSettings {
    ConsulSettings::new(address)
}

pub(crate) fn consul(agent: &Agent) -> Arc<Consul> {
    Arc::new(Consul::new(&settings(agent.http().unwrap())).unwrap())
}

pub(crate) fn orders(port: u16) -> Service {
    Service {
        domain: "orders".to_owned(),
        host: Some("10.0.0.1".to_owned()),
        port,
        tags: vec!["blue".to_owned()],
        version: Some("1.2.3".to_owned()),
        zone: Some("b".to_owned()),
        weight: 5,
    }
}

pub(crate) fn endpoint(port: u16) -> Endpoint {
    let (version, zone) = (Some("1.2.3".to_owned()), Some("b".to_owned()));
    Endpoint { host: "10.0.0.1".to_owned(), port, version, zone, weight: 5 }
}

pub(crate) async fn healthy() -> bool {
    true
}

/// Waits until exactly these endpoints are known.
pub(crate) async fn until(watch: &mut Receiver<Endpoints>, expected: &[Endpoint]) {
    let found = timeout(LIMIT, watch.wait_for(|endpoints| **endpoints == *expected)).await.is_ok();
    assert!(found, "still {:?} and not {expected:?}", watch.borrow());
}

pub(crate) async fn until_stale(consul: &Consul, expected: bool) {
    let changed = async {
        while consul.is_stale() != expected {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(LIMIT, changed).await.is_ok(), "is_stale() is not {expected}");
}

pub(crate) async fn is_found(consul: &Arc<Consul>, port: u16) {
    until(&mut consul.watch("orders"), &[endpoint(port)]).await;
}

/// What the agent answers to a request without a body, without white space: it prints prettily.
pub(crate) fn ask(agent: &Agent, method: &str, path: &str) -> String {
    let address = agent.http().unwrap();
    let mut stream = TcpStream::connect((address.host_str().unwrap(), address.port().unwrap())).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\ncontent-length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    answer.split_whitespace().collect()
}
