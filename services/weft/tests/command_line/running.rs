//! Everything in one process, from an empty folder to a signal; and domains in two.

use crate::given::{FREE_PORTS, address, http, weft};

const ADA: &str = r#"{"email": "ada@example.com", "password": "correct horse"}"#;

#[test]
fn up_serves_from_an_empty_folder_keeps_what_it_is_told_and_drains_on_sigterm() {
    let given = weft();
    let words = [&["up"][..], &FREE_PORTS].concat();
    let mut first = given.start(&words);
    let addresses = first.addresses();
    let edge = address(&addresses, "edge");
    let welcome = first.stdout_to(" routes");
    for part in [edge, "auth", "catalog", "orders", "curl --json", "grpcurl -plaintext"] {
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
fn a_domain_in_another_process_is_called_where_the_configuration_says_it_is() {
    let given = weft();
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
