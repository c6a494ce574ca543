//! From a SPIFFE id to the logical name that the rest of weft uses.
//!
//! Each certificate authority has its own shape of ids: the development CA writes `/domain/orders`, Consul
//! `/ns/default/dc/dc1/svc/orders`. A [`NameMap`] belongs to a source and knows its shape; an id that it does not
//! recognise is no peer of ours.

use std::fmt;
use std::str::FromStr;

use crate::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};

/// A DNS label holds at most 63 bytes (RFC 1035, section 2.3.4), and workloads are found by name.
const MAX_NAME_BYTES: usize = 63;

/// The logical name of a workload: `orders`, `edge`. A DNS label in lower case that begins with a letter.
///
/// It is safe as a file name and as a host name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadName(String);

/// Why a text is no workload name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no workload name: 1 to 63 lower-case letters, digits and dashes, a letter first and no dash last")]
pub struct WorkloadNameError(String);

/// Which workload an id belongs to, by the rules of one certificate source.
pub trait NameMap: fmt::Debug + Send + Sync {
    /// The logical name, or nothing when the id is not of the shape this source issues.
    fn workload(&self, id: &SpiffeId) -> Option<WorkloadName>;
}

/// Ids of the shape `spiffe://<trust domain>/domain/<name>`, as the development CA issues them.
#[derive(Debug, Clone, Copy, Default)]
pub struct DomainPath;

// === impl WorkloadName ===

impl WorkloadName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WorkloadName {
    type Err = WorkloadNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let bytes = name.as_bytes();
        let allowed = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let valid = bytes.len() <= MAX_NAME_BYTES
            && bytes.first().is_some_and(u8::is_ascii_lowercase)
            && bytes.last() != Some(&b'-')
            && bytes.iter().all(allowed);
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            // The text may come from a stranger: what is echoed is bounded.
            Err(WorkloadNameError(name.chars().take(MAX_NAME_BYTES).collect()))
        }
    }
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for WorkloadName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

// === impl DomainPath ===

impl DomainPath {
    /// The id of a workload in a trust domain; [`NameMap::workload`] is the way back.
    ///
    /// Fails only where a trust domain of nearly 255 bytes leaves no room, which the id's limit of 2048 bytes excludes.
    pub fn id(trust_domain: &TrustDomain, workload: &WorkloadName) -> Result<SpiffeId, SpiffeIdError> {
        format!("{}/domain/{workload}", trust_domain.id()).parse()
    }
}

impl NameMap for DomainPath {
    fn workload(&self, id: &SpiffeId) -> Option<WorkloadName> {
        id.path().strip_prefix("/domain/")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_domain_path_leads_to_its_name_and_back() {
        let trust_domain = "weft.local".parse().unwrap();
        let orders: WorkloadName = "orders".parse().unwrap();
        let id = DomainPath::id(&trust_domain, &orders).unwrap();
        assert_eq!(id.as_str(), "spiffe://weft.local/domain/orders");
        assert_eq!(DomainPath.workload(&id), Some(orders));
    }

    #[test]
    fn an_id_of_another_shape_has_no_name() {
        for id in [
            "spiffe://weft.local",
            "spiffe://weft.local/orders",
            "spiffe://weft.local/domain",
            "spiffe://weft.local/domain/orders/extra",
            "spiffe://weft.local/domain/Orders",
            "spiffe://weft.local/ns/default/dc/dc1/svc/orders",
        ] {
            assert_eq!(DomainPath.workload(&id.parse().unwrap()), None, "{id}");
        }
    }

    #[test]
    fn a_name_that_is_no_dns_label_is_refused() {
        let long = "a".repeat(64);
        for name in ["", "-a", "a-", "1a", "Orders", "a.b", "a/b", "..", "a b", "é", &long] {
            assert!(name.parse::<WorkloadName>().is_err(), "{name}");
        }
        "a".repeat(63).parse::<WorkloadName>().unwrap();
    }
}
