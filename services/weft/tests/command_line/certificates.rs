//! Processes that get their certificates from elsewhere than this machine's own authority.

use crate::discovery::{ADA, agent, eventually};
use crate::given::{FREE_PORTS, address, http, weft_in_parts};

#[test]
fn processes_that_share_nothing_but_consul_trust_each_other_and_tell_when_it_renews_no_certificate() {
    let (given, mut agent) = (weft_in_parts(), agent());
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let agent_address = format!("127.0.0.1:{}", agent.http().unwrap().port().unwrap());
    // The agent elects itself before it makes its authority.
    eventually(|| http(&agent_address, "GET", "/v1/agent/connect/ca/roots", ""), |(_, body)| body.contains("RootCert"));
    let consul = format!("consul.address={agent_address}");
    let settings = ["--set", &consul, "--set", "mesh.certificates_from=consul"];
    let serve = |domain| given.start(&[&["serve", domain][..], &FREE_PORTS, &settings].concat());
    let (mut auth, mut edge) = (serve("auth"), serve("edge"));
    auth.addresses();
    let addresses = edge.addresses();
    let edge_address = address(&addresses, "edge");
    eventually(|| http(edge_address, "POST", "/api/v1/auth/register", ADA), |(status, _)| *status == 201);
    let admin = address(&addresses, "admin");
    let metrics = http(admin, "GET", "/metrics", "").1;
    let expiry = metrics.lines().find_map(|line| line.strip_prefix("weft_certificate_expiry_seconds{workload=\"edge\"} "));
    let hours = expiry.unwrap().parse::<f64>().unwrap() / 3600.0;
    assert!((71.0..72.1).contains(&hours), "{hours} hours");
    assert!(metrics.contains("\nweft_certificates_stale 0\n"), "{metrics}");
    agent.stop();
    eventually(|| http(admin, "GET", "/metrics", ""), |(_, text)| text.contains("\nweft_certificates_stale 1\n"));
    assert!(http(admin, "GET", "/health", "").1.contains(r#""certificatesStale":true"#));
    assert_eq!(http(edge_address, "POST", "/api/v1/auth/login", ADA).0, 200, "without Consul as well");
    assert_eq!(edge.stop("-TERM").code(), Some(0));
    assert_eq!(auth.stop("-TERM").code(), Some(0));
}

#[test]
fn certificates_that_nobody_gives_end_the_start() {
    let given = weft_in_parts();
    assert_eq!(given.run(&["migrate"]).code, Some(0));
    let serve = |setting| given.run(&[&["serve", "auth"][..], &FREE_PORTS, &["--set", setting]].concat());
    let nowhere = serve("mesh.certificates_from=consul");
    assert_eq!(nowhere.code, Some(78), "{}", nowhere.stderr);
    assert!(nowhere.sentence().contains("set consul.address"), "{}", nowhere.stderr);
    let nothing = serve("mesh.certificates_from=files");
    assert_eq!(nothing.code, Some(1), "{}", nothing.stderr);
    assert!(nothing.sentence().contains("certificates"), "{}", nothing.stderr);
    let unknown = serve("mesh.certificates_from=vault");
    assert_eq!(unknown.code, Some(78), "{}", unknown.stderr);
}
