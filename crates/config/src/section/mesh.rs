//! `[mesh]`: calls between domains.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::setting::Setting;
use crate::units::{self, HostPort};

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "mesh.trust_domain",
        "a trust domain (lower-case letters, digits, \".\", \"-\" and \"_\", at most 255)",
        "The trust domain of the workloads' SPIFFE ids.",
    )
    .default("weft.local"),
    Setting::address("mesh.listen", "The address that domains listen on for each other's calls.").default("127.0.0.1"),
    Setting::port("mesh.ports.<domain>", "The port that a domain of this process listens on.")
        .otherwise("the domain's own default"),
    Setting::text("mesh.upstreams.<domain>", "an address (host:port)", "Where a domain is found that runs in another process.")
        .otherwise("found by discovery"),
    Setting::text(
        "mesh.certificates_from",
        "one of \"development\", \"files\", \"consul\"",
        "Who gives the workloads their certificates: this machine, whoever puts them into mesh.certificates, or the agent at consul.address with its own trust domain.",
    )
    .default("development"),
    Setting::text("mesh.certificates", "a folder", "Where the workloads' certificates and keys are.")
        .otherwise("the folder certificates in data_dir"),
    Setting::text(
        "mesh.drain_timeout",
        units::DRAIN,
        "How long calls under way may take to finish once the process is asked to stop.",
    )
    .default("10s"),
];

/// Calls between domains.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mesh {
    /// The trust domain of the workloads' SPIFFE ids.
    #[serde(deserialize_with = "trust_domain")]
    pub trust_domain: String,
    /// The address that domains listen on.
    pub listen: IpAddr,
    /// Ports of domains in this process, where they differ from the domains' defaults.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// Addresses of domains in other processes.
    #[serde(default)]
    pub upstreams: BTreeMap<String, HostPort>,
    /// Who gives the workloads their certificates.
    pub certificates_from: CertificatesFrom,
    /// Where certificates and keys are; see [`crate::Config::certificates`].
    pub(crate) certificates: Option<PathBuf>,
    /// How long calls under way may take to finish at shutdown.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
}

/// Who gives the workloads their certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificatesFrom {
    /// An authority on this machine, made when it is first needed.
    Development,
    /// Whoever puts them into the folder of certificates: cert-manager, say.
    Files,
    /// The Consul agent.
    Consul,
}

/// The characters of a trust domain by the SPIFFE-ID specification, section 2.1.
fn trust_domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    if (1..=255).contains(&name.len()) && name.bytes().all(allowed) {
        Ok(name)
    } else {
        Err(de::Error::custom("not a trust domain"))
    }
}
