//! The Consul agent, and stated addresses of other domains.

use tokio::{net::TcpStream, time::timeout};
use weft_config::{CertificatesFrom, Config};
use weft_consul::{Client, ConsulError};

use super::{LIMIT, finding::Findings};
use crate::failure::sentence;

/// The agent: reached, with this token, in a cluster that has a leader.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let settings = match weft_reload::consul_settings(&config.consul) {
        Ok(Some(settings)) => settings,
        Ok(None) => return,
        Err(error) => return findings.bad("consul", sentence(&error), "correct the settings that begin with consul."),
    };
    let client = match Client::new(&settings) {
        Ok(client) => client,
        Err(error) => return findings.bad("consul", sentence(&error), "correct the files that consul.ca_file and others name"),
    };
    match timeout(LIMIT, leader(&client)).await {
        Ok(Ok(leader)) if leader.is_empty() => {
            findings.bad(
                "consul",
                "the agent is reached, and its cluster has no leader",
                "see `consul operator raft list-peers`",
            );
        }
        Ok(Ok(leader)) => {
            findings.good("consul", format!("reached; the leader is {leader}"));
            look_at_connect(config, &client, findings).await;
        }
        Ok(Err(error)) => findings.bad("consul", sentence(&error), "start the agent, or correct consul.address and consul.token"),
        Err(_) => findings.bad("consul", format!("no answer within {} s", LIMIT.as_secs()), "see whether the agent runs"),
    }
}

/// The address of the cluster's leader, empty while there is none.
async fn leader(client: &Client) -> Result<String, ConsulError> {
    let answer = client.query(&["v1", "status", "leader"], &[]).await?;
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The agent as an authority, where it is to be one.
async fn look_at_connect(config: &Config, client: &Client, findings: &mut Findings) {
    if config.mesh.certificates_from != CertificatesFrom::Consul {
        return;
    }
    match timeout(LIMIT, client.query(&["v1", "agent", "connect", "ca", "roots"], &[])).await {
        Ok(Ok(_)) => findings.good("consul connect", "the agent gives out roots"),
        Ok(Err(error)) => findings.bad("consul connect", sentence(&error), "set connect.enabled in the agents' configuration"),
        Err(_) => findings.bad("consul connect", "no answer", "set connect.enabled in the agents' configuration"),
    }
}

/// Domains whose address is stated.
pub(super) async fn look_at_upstreams(config: &Config, findings: &mut Findings) {
    for (domain, address) in &config.mesh.upstreams {
        let (what, setting) = (format!("upstream {domain}"), format!("mesh.upstreams.{domain}"));
        match timeout(LIMIT, TcpStream::connect(address.to_string())).await {
            Ok(Ok(_)) => findings.good(what, format!("{address} accepts connections")),
            Ok(Err(error)) => findings.warning(what, format!("{address}: {error}"), format!("start it, or correct {setting}")),
            Err(_) => {
                findings.warning(
                    what,
                    format!("{address} does not answer"),
                    format!("look for a firewall, or correct {setting}"),
                );
            }
        }
    }
}
