//! Field rules, checked before a handler runs, with every violation reported at once.
//!
//! The rules stand in contracts as `buf.validate` options. `weft-codegen` compiles them to an
//! implementation of [`Validate`] for each message, out of the checks below. Generated checks were
//! chosen over `prost-protovalidate` because that crate's types need `protoc` when they are built,
//! which a user of weft must not need, and because a check compiled from the contract costs no
//! reflection on the way of every request. What the generator cannot compile (CEL, for one) it
//! refuses by name, so no rule of a contract is ever silently unchecked.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{Error, FieldViolation, Result};

/// Violations that are reported at most: a large request with one mistake repeated is not echoed in full.
const VIOLATION_LIMIT: usize = 50;

/// A message that knows the rules of its contract. Generated.
pub trait Validate {
    /// Reports every field that breaks a rule.
    fn validate(&self, violations: &mut Violations);
}

/// `google.protobuf.Empty`.
impl Validate for () {
    fn validate(&self, _: &mut Violations) {}
}

/// Checks a whole request.
pub fn check(message: &impl Validate) -> Result<()> {
    let mut violations = Violations::default();
    message.validate(&mut violations);
    if violations.found.is_empty() { Ok(()) } else { Err(Error::invalid(violations.found)) }
}

/// What is wrong so far, and where the check stands.
#[derive(Debug, Default)]
pub struct Violations {
    path: String,
    found: Vec<FieldViolation>,
}

impl Violations {
    /// Checks a field: what `check` reports is reported of it.
    pub fn field(&mut self, name: &str, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        check(self);
        self.path.truncate(length);
    }

    /// Checks an item of the list that the check stands at.
    pub fn item(&mut self, index: usize, check: impl FnOnce(&mut Self)) {
        self.within(|path| write!(path, "[{index}]"), check);
    }

    /// Checks an entry of the map that the check stands at.
    pub fn entry(&mut self, key: &dyn std::fmt::Display, check: impl FnOnce(&mut Self)) {
        // Keys are the caller's: long ones are cut so that an error does not echo a whole request.
        let key: String = key.to_string().chars().take(64).collect();
        self.within(|path| write!(path, "[{key:?}]"), check);
    }

    fn within(&mut self, push: impl FnOnce(&mut String) -> std::fmt::Result, check: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if push(&mut self.path).is_ok() {
            check(self);
        }
        self.path.truncate(length);
    }

    /// Reports where the check stands, unless `holds`. The rule is named as `buf.validate` names it.
    pub fn rule(&mut self, holds: bool, rule: &str, description: &str) {
        if !holds && self.found.len() < VIOLATION_LIMIT {
            let (field, description, rule) = (self.path.clone(), description.to_owned(), rule.to_owned());
            self.found.push(FieldViolation { field, description, rule });
        }
    }
}

/// RFC 9562 text form with hyphens, in either case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// An address as HTML's `input type=email` accepts it, at most 254 bytes with at most 64 before the
/// at sign (RFC 5321 §4.5.3.1): what `string.email` of `buf.validate` asks for.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_char = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    text.len() <= 254 && !local.is_empty() && local.len() <= 64 && local.chars().all(local_char) && is_hostname(domain)
}

/// Labels of letters, digits and inner hyphens (RFC 1123 §2.1), at most 253 bytes, the last not all
/// digits.
pub fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// An absolute URI (RFC 3986 §4.3): a scheme, and no character that must be escaped.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    scheme_ok && !rest.is_empty() && text.parse::<http::Uri>().is_ok()
}

/// True if no two items are equal.
pub fn is_unique<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.into_iter().all(|item| seen.insert(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Order {
        quantities: Vec<i64>,
    }

    impl Validate for Order {
        fn validate(&self, violations: &mut Violations) {
            violations.field("quantities", |v| {
                for (index, quantity) in self.quantities.iter().enumerate() {
                    v.item(index, |v| v.rule(*quantity > 0, "int64.gt", "must be greater than 0"));
                }
            });
        }
    }

    #[test]
    fn every_violation_is_reported_at_its_path() {
        let error = check(&Order { quantities: vec![1, 0, 2, -1] }).err();
        let fields: Vec<_> = error.iter().flat_map(Error::violations).map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["quantities[1]", "quantities[3]"]);
        let many = check(&Order { quantities: vec![0; 1000] }).err();
        assert_eq!(many.map(|error| error.violations().len()), Some(VIOLATION_LIMIT));
    }

    #[test]
    fn addresses_hosts_and_ids_are_told_from_others() {
        for good in ["a@b.example", "a.b+c@x-y.example.org", "a@localhost"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a b@c", "a@-b.c", "a@b..c", "é@b.c", "Ann <a@b.c>", "a@b.c\n"] {
            assert!(!is_email(bad), "{bad:?}");
        }
        assert!(is_uuid("0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50"));
        assert!(!is_uuid("0192f7c458a57cc08a3e2b1c9d7e6f50"));
        assert!(is_uri("https://example.com/a?b#c") && !is_uri("/relative") && !is_uri("https://a b"));
        assert!(is_unique(["a", "b"]) && !is_unique([1, 2, 1]));
    }
}
