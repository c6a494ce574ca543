//! Everything in one process, from an empty folder to a signal; and domains in two.

use crate::given::{FREE_PORTS, address, http, weft, weft_in_parts};

const ADA: &str = r#"{"email": "ada@example.com", "password": "correct horse"}"#;

#[test]
fn up_serves_from_an_empty_folder_keeps_what_it_is_told_and_drains_on_sigterm() {
    let given = weft();
    let words = [&["up"][..], &FREE_PORTS].concat();
    let mut first = given.start(&words);
    let addresses = first.addresses();
    let edge = address(&addresses, "edge");
    let welcome = first.stdout_to(" routes");
    for part in [edge, "auth", "catalog", "orders", "events", "curl --json", "grpcurl -plaintext"] {
        assert!(welcome.contains(part), "{part}: {welcome}");
    }
    let (status, body) = http(edge, "POST", "/api/v1/auth/register", ADA);
    assert_eq!(status / 100, 2, "{body}");
    assert_eq!(http(address(&addresses, "admin"), "GET", "/ready", "").0, 200);
    assert_eq!(first.stop("-TERM").code(), Some(0));

    let mut second = given.start(&words);
    let addresses = second.addresses();
    let (status, body) = http(address(&addresses, "edge"), "POST", "/api/v1/auth/login", ADA);
    assert_eq!(status, 200, "{body}");
    assert_eq!(second.stop("-TERM").code(), Some(0));
}

#[test]
fn an_operator_sees_what_runs_changes_the_log_and_lets_it_drain() {
    let given = weft();
    let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let (edge, admin) = (address(&addresses, "edge"), address(&addresses, "admin"));
    let (status, routes) = http(admin, "GET", "/routes", "");
    let routes: serde_json::Value = serde_json::from_str(&routes).unwrap();
    assert!(status == 200 && routes["methods"].as_array().unwrap().iter().any(|method| method["method"] == "CreateOrder"));
    assert_eq!(http(edge, "POST", "/api/v1/auth/register", ADA).0, 201);
    let (_, upstreams) = http(admin, "GET", "/upstreams", "");
    let upstreams: serde_json::Value = serde_json::from_str(&upstreams).unwrap();
    let known = upstreams["upstreams"].as_array().unwrap();
    let auth = known.iter().find(|one| one["caller"] == "edge" && one["domain"] == "auth").unwrap();
    assert_eq!((&auth["endpoint"], &auth["ejected"]), (&address(&addresses, "auth").into(), &false.into()));

    assert_eq!(http(admin, "PUT", "/log", "warn,weft_edge=debug").0, 200);
    let (_, filter) = http(admin, "GET", "/log", "");
    assert!(filter.contains("weft_edge=debug") && filter.contains("warn"), "{filter}");
    assert_eq!(http(admin, "PUT", "/log", "weft_edge=loud").0, 400);
    assert_eq!(http(admin, "GET", "/log", "").1, filter, "what cannot be read changes nothing");

    assert_eq!(http(admin, "GET", "/ready", "").0, 200);
    assert_eq!(http(admin, "GET", "/drain", "").0, 405);
    assert_eq!(http(admin, "POST", "/drain", "").0, 202);
    let drained = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        http(admin, "GET", "/ready", "").0 == 503
    });
    assert!(drained, "readiness fails");
    assert_eq!(http(edge, "POST", "/api/v1/auth/login", ADA).0, 200, "who comes is served");
    assert_eq!(process.stop("-TERM").code(), Some(0));
}

#[test]
fn a_domain_in_another_process_is_called_where_the_configuration_says_it_is() {
    let given = weft_in_parts();
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut auth = given.start(&[&["serve", "auth"][..], &FREE_PORTS].concat());
    let upstream = format!("mesh.upstreams.auth={}", address(&auth.addresses(), "auth"));
    let mut edge = given.start(&[&["serve", "edge"][..], &FREE_PORTS, &["--set", &upstream]].concat());
    let addresses = edge.addresses();
    let (status, body) = http(address(&addresses, "edge"), "POST", "/api/v1/auth/register", ADA);
    assert_eq!(status / 100, 2, "{body}");
    assert_eq!(edge.stop("-TERM").code(), Some(0));
    assert_eq!(auth.stop("-TERM").code(), Some(0));
}

#[test]
fn all_stands_for_every_domain() {
    let given = weft();
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let mut process = given.start(&[&["serve", "all", "edge"][..], &FREE_PORTS].concat());
    let addresses = process.addresses();
    let told: serde_json::Value = serde_json::from_str(&given.run(&["routes", "--json"]).stdout).unwrap();
    for domain in told["domains"].as_array().unwrap() {
        address(&addresses, domain["name"].as_str().unwrap());
    }
    assert_eq!(http(address(&addresses, "edge"), "POST", "/api/v1/auth/register", ADA).0, 201);
    assert_eq!(process.stop("-TERM").code(), Some(0));
}
