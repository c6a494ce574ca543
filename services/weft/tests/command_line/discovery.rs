//! Processes that find each other through a real Consul agent, by its API and by DNS.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use weft_test_consul::Agent;

use crate::given::{FREE_PORTS, Given, Started, address, http, weft_in_parts};

pub(crate) const ADA: &str = r#"{"email": "ada@example.com", "password": "correct horse"}"#;
const LOGIN: &str = "/api/v1/auth/login";
/// Longer than a caller takes to notice and to connect anew.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn agent() -> Agent {
    match Agent::start() {
        Ok(agent) => agent,
        Err(error) => panic!("{error}"),
    }
}

fn serve(given: &Given, agent: &Agent, domain: &str) -> Started {
    let consul = format!("consul.address={}", agent.http().unwrap());
    given.start(&[&["serve", domain][..], &FREE_PORTS, &["--set", &consul]].concat())
}

/// The domains that the agent knows, white space left out.
fn services(agent: &Agent) -> String {
    let address = agent.http().unwrap();
    let (status, body) = http(&format!("127.0.0.1:{}", address.port().unwrap()), "GET", "/v1/agent/services", "");
    assert_eq!(status, 200, "{body}");
    body.split_whitespace().collect()
}

/// Asks until the answer is this one.
fn until(edge: &str, path: &str, expected: u16) {
    eventually(|| http(edge, "POST", path, ADA), |(status, _)| *status == expected);
}

fn until_stale(admin: &str) {
    let is_stale = |(_, body): &(u16, String)| body.lines().any(|line| line == "weft_discovery_stale 1");
    eventually(|| http(admin, "GET", "/metrics", ""), is_stale);
    let (status, health) = http(admin, "GET", "/health", "");
    assert!(status == 200 && health.contains(r#""discoveryStale":true"#), "{status}: {health}");
}

pub(crate) fn eventually(ask: impl Fn() -> (u16, String), is_it: impl Fn(&(u16, String)) -> bool) {
    let end = Instant::now() + LIMIT;
    loop {
        let answer = ask();
        if is_it(&answer) {
            return;
        }
        assert!(Instant::now() < end, "still {answer:?}");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_domain_is_found_where_it_registered_moves_and_stays_known_while_consul_is_gone() {
    let (given, mut agent) = (weft_in_parts(), agent());
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut edge = serve(&given, &agent, "edge");
    let addresses = edge.addresses();
    let [edge_address, admin] = ["edge", "admin"].map(|name| address(&addresses, name).to_owned());
    let nobody = http(&edge_address, "POST", LOGIN, ADA);
    assert_eq!(nobody.0, 503, "{}", nobody.1);

    let mut first = serve(&given, &agent, "auth");
    first.addresses();
    until(&edge_address, "/api/v1/auth/register", 201);
    assert!(services(&agent).contains(r#""Service":"auth""#));
    assert_eq!(first.stop("-TERM").code(), Some(0));
    assert!(services(&agent).ends_with("{}"), "gone when it is: {}", services(&agent));
    until(&edge_address, LOGIN, 503);

    let mut second = serve(&given, &agent, "auth");
    second.addresses();
    until(&edge_address, LOGIN, 200);
    assert!(http(&admin, "GET", "/metrics", "").1.contains("\nweft_discovery_stale 0\n"));
    agent.stop();
    until_stale(&admin);
    assert_eq!(http(&edge_address, "POST", LOGIN, ADA).0, 200, "without Consul as well");
    assert_eq!(edge.stop("-TERM").code(), Some(0));
    assert_eq!(second.stop("-TERM").code(), Some(0), "an agent that is gone keeps nobody from stopping");
}

#[test]
fn a_domain_is_found_by_its_name() {
    let (given, agent) = (weft_in_parts(), agent());
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut auth = serve(&given, &agent, "auth");
    let port = address(&auth.addresses(), "auth").rsplit_once(':').unwrap().1.to_owned();
    // Consul answers by DNS as well: here it stands for the name servers of a cluster.
    let settings = ["dns.name={domain}.service.consul.", &format!("dns.port={port}"), &format!("dns.servers={}", agent.dns())];
    let flags = settings.map(|setting| ["--set", setting]).concat();
    let mut edge = given.start(&[&["serve", "edge"][..], &FREE_PORTS, &flags].concat());
    until(address(&edge.addresses(), "edge"), "/api/v1/auth/register", 201);
    assert_eq!(edge.stop("-TERM").code(), Some(0));
    assert_eq!(auth.stop("-TERM").code(), Some(0));
}

#[test]
fn a_domain_starts_before_those_that_it_calls() {
    let (given, agent) = (weft_in_parts(), agent());
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut orders = serve(&given, &agent, "orders");
    assert_eq!(orders.addresses().len(), 2, "orders, admin");
    assert_eq!(orders.stop("-TERM").code(), Some(0));
}

#[test]
fn settings_that_cannot_work_end_the_start() {
    let given = weft_in_parts();
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let words = [&["serve", "auth"][..], &FREE_PORTS, &["--set", "consul.address=https://127.0.0.1:1"]].concat();
    let refused = given.run(&words);
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.sentence().contains("set consul.ca_file"), "{}", refused.stderr);
    let both = ["--set", "consul.address=127.0.0.1:1", "--set", "dns.name={domain}.local."];
    let refused = given.run(&[&["serve", "auth"][..], &FREE_PORTS, &both].concat());
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.sentence().contains("both set"), "{}", refused.stderr);
}
