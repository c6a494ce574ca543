//! `[limits]`: how far the limits of the contracts are stretched here, and what tenants may use up.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::setting::{Setting, Shape};

const FACTOR: &str = "a number from 0.01 to 100";
const QUOTA: &str = "a number of calls from 1 to 1000000000";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text("limits.factor", FACTOR, "What the rate and burst of every limit in a contract is multiplied by.")
        .shape(Shape::Number)
        .default("1.0")
        .running(),
    Setting::text("limits.factors.<domain>", FACTOR, "The same for the limits of one domain, instead.")
        .shape(Shape::Number)
        .otherwise("limits.factor")
        .running(),
    Setting::text(
        "limits.tenant_quota",
        QUOTA,
        "How many calls the users and API keys of a tenant may make at the edge in a day.",
    )
    .shape(Shape::Integer)
    .otherwise("as many as the limits of contracts let through")
    .running(),
    Setting::text("limits.tenant_quotas.<tenant>", QUOTA, "The same for one tenant, by its id, instead.")
        .shape(Shape::Integer)
        .otherwise("limits.tenant_quota")
        .running(),
];

/// How far the limits of the contracts are stretched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What rate and burst of every limit is multiplied by.
    pub factor: Factor,
    /// The same for single domains.
    #[serde(default)]
    pub factors: BTreeMap<String, Factor>,
    /// How many calls a tenant may make in a day.
    #[serde(default)]
    pub tenant_quota: Option<Quota>,
    /// The same for single tenants, by their ids.
    #[serde(default)]
    pub tenant_quotas: BTreeMap<String, Quota>,
}

impl Limits {
    /// What the limits of domains without a factor of their own are multiplied by.
    pub fn general(&self) -> f64 {
        self.factor.0
    }

    /// What the limits of a domain are multiplied by.
    pub fn of(&self, domain: &str) -> f64 {
        self.factors.get(domain).unwrap_or(&self.factor).0
    }
}

/// A number from 0.01 to 100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factor(f64);

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let factor = f64::deserialize(deserializer)?;
        if (0.01..=100.0).contains(&factor) { Ok(Self(factor)) } else { Err(de::Error::custom("not from 0.01 to 100")) }
    }
}

/// A number of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(u32);

impl Quota {
    /// So many.
    pub fn calls(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let calls = u32::deserialize(deserializer)?;
        if (1..=1_000_000_000).contains(&calls) { Ok(Self(calls)) } else { Err(de::Error::custom("not from 1 to 1000000000")) }
    }
}
