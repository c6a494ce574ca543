//! Follows the passing instances of one domain.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use weft_consul::Cursor;

use super::{Agent, ConsulError};
use crate::{Endpoint, Endpoints, backoff::Backoff};

/// A storm of changes is read this often at most.
const PACE: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// Keeps `endpoints` current for as long as it runs.
pub(super) async fn follow(agent: Arc<Agent>, domain: String, endpoints: watch::Sender<Endpoints>) {
    let task = format!("watch {domain}");
    let mut cursor = Cursor::default();
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut is_first = true;
    loop {
        let asked = Instant::now();
        match ask(&agent, &domain, &mut cursor).await {
            Ok(found) => {
                agent.outage.succeeded(&task);
                backoff.succeeded();
                let is_doubtful = found.is_empty() && !cursor.believes_in_nothing(Instant::now());
                let is_change = !is_doubtful && *found != **endpoints.borrow();
                if is_change || is_first {
                    endpoints.send_replace(found.into());
                }
                is_first = false;
                sleep_until(asked + PACE).await;
            }
            Err(error) => {
                agent.outage.failed(&task, &error);
                cursor.failed(Instant::now());
                #[cfg(feature = "sabotage")]
                if weft_sabotage::Sabotage::ForgetEndpoints.is_on() {
                    endpoints.send_replace(Endpoints::default());
                }
                sleep(backoff.failed()).await;
            }
        }
    }
}

async fn ask(agent: &Agent, domain: &str, cursor: &mut Cursor) -> Result<Vec<Endpoint>, ConsulError> {
    let path = ["v1", "health", "service", domain];
    let answer = agent.client.get(&path, Some("passing"), cursor.index(), cursor.wait(Instant::now())).await?;
    let found = endpoints(&answer.body)?;
    cursor.answered(answer.index, Instant::now());
    Ok(found)
}

/// An element of the answer of `GET /v1/health/service/:service`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    node: Node,
    service: Service,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(default)]
    address: String,
    port: i64,
    meta: Option<BTreeMap<String, String>>,
    weights: Option<Weights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: i64,
}

/// In one order, so that two answers can be compared. An instance without a usable port is none: it
/// is another program's mistake, and no reason to lose the others.
fn endpoints(body: &[u8]) -> Result<Vec<Endpoint>, ConsulError> {
    let instances: Vec<Instance> = serde_json::from_slice(body)?;
    let mut endpoints: Vec<_> = instances.into_iter().filter_map(Instance::endpoint).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    Ok(endpoints)
}

impl Instance {
    fn endpoint(self) -> Option<Endpoint> {
        let Service { address, port, meta, weights } = self.service;
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        // A service without an address of its own is where its agent is.
        let host = if address.is_empty() { self.node.address } else { address };
        let mut meta = meta.unwrap_or_default();
        let weight = weights.map_or(1, |weights| u16::try_from(weights.passing.max(0)).unwrap_or(u16::MAX));
        Some(Endpoint { host, port, version: meta.remove("version"), zone: meta.remove("zone"), weight })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn an_answer_becomes_endpoints_in_one_order() {
        let answer = br#"[
            {"Node": {"Address": "10.0.0.9"}, "Service": {"Address": "", "Port": 7, "Meta": null}, "Checks": []},
            {"Node": {"Address": "10.0.0.9"}, "Service": {"Address": "10.0.0.1", "Port": 8,
                "Meta": {"version": "1.2.3", "zone": "b", "else": "x"}, "Weights": {"Passing": 5, "Warning": 1}}},
            {"Node": {"Address": "10.0.0.9"}, "Service": {"Address": "10.0.0.1", "Port": 0}},
            {"Node": {"Address": "10.0.0.9"}, "Service": {"Address": "10.0.0.1", "Port": 70000}}
        ]"#;
        let full = Endpoint {
            host: "10.0.0.1".to_owned(),
            port: 8,
            version: Some("1.2.3".to_owned()),
            zone: Some("b".to_owned()),
            weight: 5,
        };
        assert_eq!(endpoints(answer).unwrap(), [full, Endpoint::new("10.0.0.9", 7)]);
    }

    #[test]
    fn an_answer_that_consul_does_not_document_is_an_error() {
        for answer in [&b""[..], b"{}", b"[{}]", br#"[{"Node": {"Address": 1}, "Service": {"Port": 1}}]"#] {
            assert!(matches!(endpoints(answer), Err(ConsulError::Malformed(_))), "{answer:?}");
        }
    }
}
