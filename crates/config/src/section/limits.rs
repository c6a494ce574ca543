//! `[limits]`: how far the limits of the contracts are stretched here.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::setting::{Setting, Shape};

const FACTOR: &str = "a number from 0.01 to 100";

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text("limits.factor", FACTOR, "What the rate and burst of every limit in a contract is multiplied by.")
        .shape(Shape::Number)
        .default("1.0")
        .running(),
    Setting::text("limits.factors.<domain>", FACTOR, "The same for the limits of one domain, instead.")
        .shape(Shape::Number)
        .otherwise("limits.factor")
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
