//! The graph as Kubernetes NetworkPolicies (networking.k8s.io/v1).
//!
//! Rule: pods of weft carry the label `app.kubernetes.io/part-of: weft`, and each domain has pods of its own with
//! `app.kubernetes.io/component: <domain>`. One policy denies all of them everything; one a domain lets its callers reach
//! its port, and lets it reach those that it calls. The edge takes connections from everywhere on its own port. The admin
//! port is for the namespace `monitoring`; probes come from the node, which Kubernetes always lets through.
//!
//! What weft stands on is named by host name, which a NetworkPolicy cannot say: the ports of what the configuration
//! names (PostgreSQL, Redis, Consul, the OTLP collector) are open to every address, and so are name servers in the
//! cluster.

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;
use weft_access::EDGE;
use weft_config::{BlobsUrl, Config};
use weft_mesh::Domain;

use super::Edge;

const PART_OF: &str = "app.kubernetes.io/part-of";
const COMPONENT: &str = "app.kubernetes.io/component";
const NAMESPACE: &str = "kubernetes.io/metadata.name";
/// Where metrics are collected from.
const MONITORING: &str = "monitoring";
/// Where a cluster's name servers are.
const SYSTEM: &str = "kube-system";

const HEAD: &str = "\
# Who may reach whom, by the contracts of this binary and its configuration; made by `weft graph --format networkpolicy`.
# Pods need the labels app.kubernetes.io/part-of: weft and app.kubernetes.io/component: <domain>, one domain a pod.
";

pub(super) fn render(domains: &[Domain], config: &Config, edges: &[Edge]) -> Result<String, serde_saphyr::ser::Error> {
    let ports = Ports::of(domains, config);
    let mut policies = vec![deny_all(), policy(EDGE, edges, &ports)];
    policies.extend(domains.iter().map(|domain| policy(domain.name(), edges, &ports)));
    let documents: Vec<_> = policies.iter().map(serde_saphyr::to_string).collect::<Result<_, _>>()?;
    Ok(format!("{HEAD}---\n{}", documents.join("---\n")))
}

/// The port that a carrier of events listens on unless its address says otherwise.
fn carrier_port(scheme: &str) -> u16 {
    match scheme {
        "nats" | "tls" => 4222,
        "amqp" => 5672,
        "amqps" => 5671,
        "kafka" | "kafkas" => 9092,
        _ => 6379,
    }
}

/// The port of the server that has the bucket, if files are kept in one.
fn bucket_port(config: &Config) -> Option<u16> {
    let is_bucket = matches!(config.blobs.url, Some(BlobsUrl::Bucket { .. }));
    is_bucket.then(|| config.blobs.endpoint.as_ref().and_then(Url::port_or_known_default).unwrap_or(443))
}

/// Which ports are which, where they do not change from start to start.
struct Ports {
    domains: Vec<(&'static str, u16)>,
    edge: u16,
    admin: u16,
    /// Of what weft stands on.
    below: Vec<u16>,
}

impl Ports {
    fn of(domains: &[Domain], config: &Config) -> Self {
        let configured = |domain: &Domain| config.mesh.ports.get(domain.name()).copied().or(domain.default_port());
        let fixed = |domain: &Domain| Some((domain.name(), configured(domain).filter(|port| *port > 0)?));
        let port = |url: &Url, usual: u16| url.port_or_known_default().unwrap_or(usual);
        let secret = |url: &str, usual: u16| Url::parse(url).map_or(usual, |url| port(&url, usual));
        let mut below: Vec<_> = [
            config.database.url.as_ref().map(|url| secret(url.expose_secret(), 5432)),
            config.redis.url.as_ref().map(|url| secret(url.expose_secret(), 6379)),
            config.consul.address.as_ref().map(|url| port(url, 8500)),
            config.otel.endpoint.as_ref().map(|url| port(url, 4317)),
            bucket_port(config),
        ]
        .into_iter()
        .flatten()
        .chain(config.events.addresses().iter().map(|url| port(url, carrier_port(url.scheme()))))
        .collect();
        below.sort_unstable();
        below.dedup();
        Self { domains: domains.iter().filter_map(fixed).collect(), edge: config.edge.port, admin: config.admin.port, below }
    }

    /// A domain's port, none if it is drawn anew at each start: then every port is meant.
    fn port(&self, domain: &str) -> Option<Value> {
        self.domains.iter().find(|(name, _)| *name == domain).map(|(_, port)| json!([tcp(*port)]))
    }
}

fn deny_all() -> Value {
    document("weft", &json!({"matchLabels": {PART_OF: "weft"}}), &[], &[])
}

fn policy(name: &str, edges: &[Edge], ports: &Ports) -> Value {
    let callers: Vec<_> = edges.iter().filter(|edge| edge.callee == name).map(|edge| pods(&edge.caller)).collect();
    let mut ingress = Vec::new();
    if name == EDGE {
        ingress.push(json!({"ports": [tcp(ports.edge)]}));
    } else if !callers.is_empty() {
        ingress.push(peers("from", &callers, ports.port(name)));
    }
    ingress.push(peers("from", &[namespace(MONITORING)], Some(json!([tcp(ports.admin)]))));
    let callees = edges.iter().filter(|edge| edge.caller == name).map(|edge| edge.callee);
    let mut egress: Vec<_> = callees.map(|callee| peers("to", &[pods(callee)], ports.port(callee))).collect();
    egress.push(peers("to", &[namespace(SYSTEM)], Some(json!([{"protocol": "UDP", "port": 53}, tcp(53)]))));
    if !ports.below.is_empty() {
        egress.push(json!({"ports": ports.below.iter().copied().map(tcp).collect::<Vec<_>>()}));
    }
    document(&format!("weft-{name}"), &json!({"matchLabels": {COMPONENT: name, PART_OF: "weft"}}), &ingress, &egress)
}

fn document(name: &str, selector: &Value, ingress: &[Value], egress: &[Value]) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "labels": {PART_OF: "weft"}},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": egress},
    })
}

fn peers(direction: &str, peers: &[Value], ports: Option<Value>) -> Value {
    let mut rule = json!({direction: peers});
    if let Some(ports) = ports {
        rule["ports"] = ports;
    }
    rule
}

fn pods(component: &str) -> Value {
    json!({"podSelector": {"matchLabels": {COMPONENT: component, PART_OF: "weft"}}})
}

fn namespace(name: &str) -> Value {
    json!({"namespaceSelector": {"matchLabels": {NAMESPACE: name}}})
}

fn tcp(port: u16) -> Value {
    json!({"protocol": "TCP", "port": port})
}
