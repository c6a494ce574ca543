//! `[mesh]`: calls between domains.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::caller_rule::{self, CallerRule};
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
    Setting::text(
        "mesh.callers",
        "pairs such as \"reports>catalog\" or \"sweeper>notes/Sweep\" with commas between them",
        "Who may call beside those that the contracts know; what a method demands of users holds for them too. A method that names its callers is opened only by a pair that names the method.",
    )
    .running(),
    Setting::text(
        "mesh.deny",
        "pairs such as \"orders>catalog\", \"orders>catalog/GetProduct\" or \"*>catalog\" with commas between them",
        "Who may not call, whatever allows it.",
    )
    .running(),
    Setting::text(
        "mesh.caller_rules",
        "one of \"enforce\", \"audit_only\"",
        "Whether a caller that may not call is refused, or let through and recorded. What a method demands of users holds either way.",
    )
    .default("enforce")
    .running(),
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
    /// Who may call beside those that the contracts know.
    #[serde(default, deserialize_with = "caller_rule::named")]
    pub callers: Vec<CallerRule>,
    /// Who may not call, whatever allows it.
    #[serde(default, deserialize_with = "caller_rule::list")]
    pub deny: Vec<CallerRule>,
    /// What becomes of a caller that may not call.
    pub caller_rules: CallerRules,
}

/// What becomes of a caller that may not call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerRules {
    /// It is refused.
    Enforce,
    /// It is let through, and recorded.
    AuditOnly,
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
