//! Discovery by DNS, against a name server of the test's own on a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod server;

use std::{net::IpAddr, time::Duration};

use hickory_resolver::proto::{
    op::ResponseCode,
    rr::{
        RData,
        rdata::{A, AAAA, SRV},
    },
};
use tokio::{
    sync::watch::Receiver,
    time::{sleep, timeout},
};
use weft_discovery::{Dns, DnsError, DnsSettings, Endpoint, Endpoints, Question, Resolver};

use server::Server;

const LIMIT: Duration = Duration::from_secs(20);
const NAME: &str = "orders.weft.svc.cluster.local.";

fn by_address(server: &Server) -> Dns {
    let name = "{domain}.weft.svc.cluster.local.".to_owned();
    let question = Question::Address { name, port: 8091 };
    Dns::new(DnsSettings { servers: vec![server.address], ..DnsSettings::new(question) }).unwrap()
}

fn address(text: &str) -> RData {
    match text.parse().unwrap() {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}

fn service(priority: u16, weight: u16, port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(priority, weight, port, target.parse().unwrap()))
}

async fn until(watch: &mut Receiver<Endpoints>, expected: &[Endpoint]) {
    let found = timeout(LIMIT, watch.wait_for(|endpoints| **endpoints == *expected)).await.is_ok();
    assert!(found, "still {:?} and not {expected:?}", watch.borrow());
}

async fn until_stale(dns: &Dns, expected: bool) {
    let changed = async {
        while dns.is_stale() != expected {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(LIMIT, changed).await.is_ok(), "is_stale() is not {expected}");
}

#[tokio::test]
async fn addresses_of_both_families_are_found_and_asked_for_again_when_their_time_is_over() {
    let server = Server::start().await;
    server.say(NAME, 1, vec![address("10.0.0.2"), address("10.0.0.1"), address("fd00::1")]);
    let dns = by_address(&server);
    let mut watch = dns.watch("orders");
    let at = |host: &str| Endpoint::new(host, 8091);
    until(&mut watch, &[at("10.0.0.1"), at("10.0.0.2"), at("fd00::1")]).await;
    assert_eq!(dns.endpoints("orders").len(), 3);
    server.say(NAME, 1, vec![address("10.0.0.3")]);
    until(&mut watch, &[at("10.0.0.3")]).await;
    server.say(NAME, 1, vec![]);
    until(&mut watch, &[]).await;
}

#[tokio::test]
async fn a_long_time_to_live_is_kept_and_asks_nobody() {
    let server = Server::start().await;
    server.say(NAME, 3600, vec![address("10.0.0.1")]);
    let dns = by_address(&server);
    until(&mut dns.watch("orders"), &[Endpoint::new("10.0.0.1", 8091)]).await;
    let asked = server.asked();
    server.say(NAME, 3600, vec![address("10.0.0.2")]);
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(dns.endpoints("orders"), [Endpoint::new("10.0.0.1", 8091)]);
    assert_eq!(server.asked(), asked);
}

#[tokio::test]
async fn services_bring_ports_and_weights_and_only_the_best_priority_counts() {
    let server = Server::start().await;
    let name = "_grpc._tcp.orders.weft.svc.cluster.local.";
    let targets =
        [(0, 10, 7, "b.example."), (0, 90, 8, "a.example."), (1, 50, 9, "c.example."), (0, 1, 0, "d.example."), (0, 1, 1, ".")];
    server.say(name, 1, targets.map(|(priority, weight, port, target)| service(priority, weight, port, target)).to_vec());
    let question = Question::Service { name: "_grpc._tcp.{domain}.weft.svc.cluster.local.".to_owned() };
    let dns = Dns::new(DnsSettings { servers: vec![server.address], ..DnsSettings::new(question) }).unwrap();
    let at = |host: &str, port, weight| Endpoint { weight, ..Endpoint::new(host, port) };
    until(&mut dns.watch("orders"), &[at("a.example", 8, 90), at("b.example", 7, 10)]).await;
}

#[tokio::test]
async fn a_domain_without_records_is_an_answer() {
    let server = Server::start().await;
    let dns = by_address(&server);
    let mut watch = dns.watch("orders");
    timeout(LIMIT, watch.changed()).await.unwrap().unwrap();
    assert!(watch.borrow_and_update().is_empty());
    assert!(!dns.is_stale());
    server.say(NAME, 1, vec![address("10.0.0.1")]);
    until(&mut watch, &[Endpoint::new("10.0.0.1", 8091)]).await;
}

#[tokio::test]
async fn while_name_servers_fail_the_last_known_endpoints_stay() {
    let server = Server::start().await;
    server.say(NAME, 1, vec![address("10.0.0.1")]);
    let dns = by_address(&server);
    let mut watch = dns.watch("orders");
    until(&mut watch, &[Endpoint::new("10.0.0.1", 8091)]).await;
    for failure in [ResponseCode::ServFail, ResponseCode::Refused] {
        server.fail(Some(failure));
        until_stale(&dns, true).await;
        assert_eq!(dns.endpoints("orders"), [Endpoint::new("10.0.0.1", 8091)], "{failure}");
        server.fail(None);
        until_stale(&dns, false).await;
    }
    server.say(NAME, 1, vec![address("10.0.0.2")]);
    until(&mut watch, &[Endpoint::new("10.0.0.2", 8091)]).await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let same = DnsSettings::new(Question::Address { name: "orders.local.".to_owned(), port: 1 });
    assert!(matches!(Dns::new(same), Err(DnsError::Name(name)) if name == "orders.local."));
    let question = Question::Service { name: "{domain}.local.".to_owned() };
    for (floor, ceiling) in [(0, 5), (6, 5)] {
        let (floor, ceiling) = (Duration::from_secs(floor), Duration::from_secs(ceiling));
        let bounds = DnsSettings { floor, ceiling, ..DnsSettings::new(question.clone()) };
        assert!(matches!(Dns::new(bounds), Err(DnsError::Bounds { .. })));
    }
}
