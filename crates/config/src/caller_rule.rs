//! Who may or may not call: `reports>catalog`, `sweeper>notes/Sweep`, `*>orders`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use crate::units::UnitError;

/// Calls by one caller, or by all, to a domain or to one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerRule {
    /// The caller's name; none for `*`, which stands for every caller.
    pub caller: Option<String>,
    /// The domain that is called.
    pub domain: String,
    /// The method; none for all of the domain's.
    pub method: Option<String>,
}

impl FromStr for CallerRule {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (caller, callee) = text.split_once('>').ok_or(UnitError::CallerRule)?;
        let (domain, method) = callee.split_once('/').map_or((callee, None), |(domain, method)| (domain, Some(method)));
        let [caller, domain] = [caller.trim(), domain.trim()];
        let method = method.map(str::trim);
        let is_method = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if caller != "*" && !is_domain(caller) || !is_domain(domain) || !method.is_none_or(is_method) {
            return Err(UnitError::CallerRule);
        }
        let caller = Some(caller).filter(|caller| *caller != "*").map(str::to_owned);
        Ok(Self { caller, domain: domain.to_owned(), method: method.map(str::to_owned) })
    }
}

/// A DNS label in lower case that begins with a letter, as the names of workloads are.
fn is_domain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-') && name.bytes().all(allowed)
}

/// Rules with commas between them; none of them may stand for every caller.
pub(crate) fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CallerRule>, D::Error> {
    let rules = list(deserializer)?;
    if rules.iter().any(|rule| rule.caller.is_none()) { Err(de::Error::custom("every caller")) } else { Ok(rules) }
}

/// Rules with commas between them.
pub(crate) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CallerRule>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.split(',').map(|rule| rule.parse().map_err(de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn rule(caller: Option<&str>, domain: &str, method: Option<&str>) -> CallerRule {
        CallerRule { caller: caller.map(str::to_owned), domain: domain.to_owned(), method: method.map(str::to_owned) }
    }

    #[test]
    fn a_rule_names_a_caller_a_domain_and_perhaps_a_method() {
        for (text, expected) in [
            ("reports>catalog", rule(Some("reports"), "catalog", None)),
            (" a-1 > b / GetThing ", rule(Some("a-1"), "b", Some("GetThing"))),
            ("*>orders", rule(None, "orders", None)),
        ] {
            assert_eq!(text.parse::<CallerRule>().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "orders",
            ">",
            "orders>",
            ">catalog",
            "orders>*",
            "Orders>catalog",
            "a>b>c",
            "a>b/",
            "a>b/C.D",
            "a>b/C/D",
            "a->b",
        ] {
            assert_eq!(text.parse::<CallerRule>(), Err(UnitError::CallerRule), "{text}");
        }
    }
}
