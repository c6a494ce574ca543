//! Who may call whom, as the binary tells it.

use serde_json::{Value, json};

use crate::given::weft;

fn graph(words: &[&str]) -> String {
    let ended = weft().run(&[&["graph"], words].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

/// Without what pads the columns.
fn rows(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn policies(words: &[&str]) -> Vec<Value> {
    let text = graph(&[&["--format", "networkpolicy"], words].concat());
    serde_saphyr::from_multiple(&text).unwrap()
}

fn named<'a>(policies: &'a [Value], name: &str) -> &'a Value {
    let mut found = policies.iter().filter(|policy| policy["metadata"]["name"] == name);
    let policy = found.next().unwrap_or_else(|| panic!("no policy {name}"));
    assert!(found.next().is_none(), "{name} twice");
    &policy["spec"]
}

fn pods(component: &str) -> Value {
    let labels = json!({"app.kubernetes.io/part-of": "weft", "app.kubernetes.io/component": component});
    json!({"podSelector": {"matchLabels": labels}})
}

fn namespace(name: &str) -> Value {
    json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}})
}

fn tcp(port: u16) -> Value {
    json!({"protocol": "TCP", "port": port})
}

#[test]
fn the_text_has_a_line_for_each_caller_and_callee() {
    let told = rows(&graph(&[]));
    let callers = ["edge auth all", "edge catalog all", "edge orders all", "edge events all", "orders catalog all"];
    assert_eq!(told, [&["CALLER MAY CALL METHODS"], &callers[..]].concat());
}

#[test]
fn the_configuration_adds_and_denies() {
    let settings = ["--set", "mesh.callers=reports>catalog", "--set", "mesh.deny=orders>catalog,reports>catalog/GetProduct"];
    let told = rows(&graph(&settings));
    assert!(!told.iter().any(|row| row.starts_with("orders catalog")), "{told:?}");
    let reports = told.iter().find(|row| row.starts_with("reports catalog ")).unwrap();
    assert!(reports.contains("ListProducts") && !reports.contains("GetProduct,"), "{reports}");
    let wrong = weft().run(&["graph", "--set", "mesh.deny=oders>catalog"]);
    assert_eq!(wrong.code, Some(78), "{}", wrong.stderr);
    assert!(
        wrong.sentence().contains("--set mesh.deny: no contract of this binary knows the caller \"oders\""),
        "{}",
        wrong.stderr
    );
}

#[test]
fn the_flowchart_is_mermaid() {
    let settings = ["--format", "mermaid", "--set", "mesh.callers=re-ports>orders/GetOrder", "--set", "mesh.deny=*>auth"];
    let expected = r#"flowchart LR
    domain_auth["auth"]
    domain_catalog["catalog"]
    domain_edge["edge"]
    domain_events["events"]
    domain_orders["orders"]
    domain_re_ports["re-ports"]
    domain_edge --> domain_catalog
    domain_edge --> domain_orders
    domain_edge --> domain_events
    domain_orders --> domain_catalog
    domain_re_ports -->|1 of 4| domain_orders
"#;
    assert_eq!(graph(&settings), expected);
}

#[test]
fn every_pod_is_closed_but_to_its_callers_and_to_monitoring() {
    let policies = policies(&[]);
    for policy in &policies {
        assert_eq!((&policy["apiVersion"], &policy["kind"]), (&"networking.k8s.io/v1".into(), &"NetworkPolicy".into()));
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{policy}");
    }
    assert_eq!(policies.len(), 6, "all pods, the edge and four domains");
    let all = json!({
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "weft"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [],
    });
    assert_eq!(named(&policies, "weft"), &all);
    let monitoring = json!({"from": [namespace("monitoring")], "ports": [tcp(9901)]});
    let names = json!({"to": [namespace("kube-system")], "ports": [{"protocol": "UDP", "port": 53}, tcp(53)]});
    let catalog = json!({
        "podSelector": pods("catalog")["podSelector"],
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [pods("edge"), pods("orders")], "ports": [tcp(8090)]}, monitoring],
        "egress": [names],
    });
    assert_eq!(named(&policies, "weft-catalog"), &catalog);
    let orders = named(&policies, "weft-orders");
    assert_eq!(orders["ingress"][0], json!({"from": [pods("edge")], "ports": [tcp(8091)]}));
    assert_eq!(orders["egress"], json!([{"to": [pods("catalog")], "ports": [tcp(8090)]}, names]));
    let edge = named(&policies, "weft-edge");
    assert_eq!(edge["ingress"], json!([{"ports": [tcp(8080)]}, monitoring]));
    assert_eq!(edge["egress"].as_array().unwrap().len(), 5, "four domains and name servers: {edge}");
}

#[test]
fn what_the_configuration_names_is_within_reach() {
    let settings = [
        "--set",
        "database.url=postgres://weft@db.example/weft",
        "--set",
        "consul.address=127.0.0.1:8500",
        "--set",
        "mesh.ports.catalog=7000",
        "--set",
        "mesh.callers=reports>catalog",
    ];
    let policies = policies(&settings);
    let catalog = named(&policies, "weft-catalog");
    let callers = json!({"from": [pods("edge"), pods("orders"), pods("reports")], "ports": [tcp(7000)]});
    assert_eq!(catalog["ingress"][0], callers);
    let egress = catalog["egress"].as_array().unwrap();
    assert_eq!(egress.last().unwrap(), &json!({"ports": [tcp(5432), tcp(8500)]}));
}
