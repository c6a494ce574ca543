//! How the agent's answers about intentions are read.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::Deserialize;
use weft_consul::ConsulError;

use crate::Sources;

/// Stands for every name, and for every namespace.
const EVERY: &str = "*";
const NAMESPACE: &str = "default";

/// An element of the answer of `GET /v1/connect/intentions/match`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Match {
    #[serde(rename = "SourceNS", default)]
    source_namespace: String,
    source_name: String,
    #[serde(default)]
    action: String,
    /// Rules for single requests, in later versions of Consul.
    #[serde(default)]
    permissions: Option<Vec<serde::de::IgnoredAny>>,
    precedence: i64,
}

/// The answer of `GET /v1/connect/intentions/check`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    allowed: bool,
}

/// The intentions for calls to `domain`, the most specific first: "Precedence and Match Order" of Consul's documentation.
pub(super) fn matches(body: &[u8], domain: &str) -> Result<Vec<(Sources, bool)>, ConsulError> {
    let mut answer: BTreeMap<String, Option<Vec<Match>>> = serde_json::from_slice(body)?;
    let mut found = answer.remove(domain).flatten().unwrap_or_default();
    found.sort_by_key(|found| Reverse(found.precedence));
    Ok(found.into_iter().filter(Match::is_of_our_namespace).map(Match::intention).collect())
}

/// Whether the caller that was asked about may call.
pub(super) fn is_allowed(body: &[u8]) -> Result<bool, ConsulError> {
    Ok(serde_json::from_slice::<Check>(body)?.allowed)
}

impl Match {
    fn is_of_our_namespace(&self) -> bool {
        ["", NAMESPACE, EVERY].contains(&self.source_namespace.as_str())
    }

    /// What is not known to allow denies.
    fn intention(self) -> (Sources, bool) {
        let is_allowed = self.action == "allow" && self.permissions.is_none_or(|rules| rules.is_empty());
        let sources = if self.source_name == EVERY { Sources::All } else { Sources::One(self.source_name) };
        (sources, is_allowed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn one(name: &str, is_allowed: bool) -> (Sources, bool) {
        (Sources::One(name.to_owned()), is_allowed)
    }

    #[test]
    fn the_most_specific_intention_goes_first() {
        let answer = br#"{"catalog": [
            {"SourceNS": "default", "SourceName": "*", "Action": "deny", "Precedence": 8, "ID": "x", "Meta": {}},
            {"SourceNS": "default", "SourceName": "orders", "Action": "allow", "Precedence": 9},
            {"SourceNS": "other", "SourceName": "carts", "Action": "allow", "Precedence": 9}
        ]}"#;
        assert_eq!(matches(answer, "catalog").unwrap(), [one("orders", true), (Sources::All, false)]);
    }

    #[test]
    fn what_is_not_a_plain_allow_denies() {
        for (fields, is_allowed) in [
            (r#""Action": "allow""#, true),
            (r#""Action": "allow", "Permissions": []"#, true),
            (r#""Action": "allow", "Permissions": [{"Action": "allow"}]"#, false),
            (r#""Permissions": [{"Action": "allow"}]"#, false),
            (r#""Action": "deny""#, false),
            (r#""Action": """#, false),
        ] {
            let answer = format!(r#"{{"catalog": [{{"SourceName": "orders", "Precedence": 9, {fields}}}]}}"#);
            assert_eq!(matches(answer.as_bytes(), "catalog").unwrap(), [one("orders", is_allowed)], "{fields}");
        }
    }

    #[test]
    fn a_domain_without_intentions_has_none() {
        for answer in [&br"{}"[..], br#"{"catalog": null}"#, br#"{"catalog": []}"#] {
            assert_eq!(matches(answer, "catalog").unwrap(), []);
        }
    }

    #[test]
    fn an_answer_that_consul_does_not_document_is_an_error() {
        for answer in [&b""[..], b"[]", br#"{"catalog": [{}]}"#, br#"{"catalog": [{"SourceName": "a"}]}"#] {
            assert!(matches!(matches(answer, "catalog"), Err(ConsulError::Malformed(_))), "{answer:?}");
        }
        assert!(matches!(is_allowed(br#"{"Allowed": 1}"#), Err(ConsulError::Malformed(_))));
    }
}
