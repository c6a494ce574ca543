//! Where an entry lies.
//!
//! Problem: two entries must never share a key, whatever strangers put into it, and a key must not
//! grow without bound. Rule: `weft/<kind>/<name>/<tenant>/<key as JSON>`, where neither of the first
//! four can hold a slash and JSON keeps the parts of a composed key apart; a long key is replaced by
//! its digest.

use std::{fmt, sync::Arc};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::CacheError;

/// The longest key that is kept as it is, in bytes.
const READABLE: usize = 512;

/// The key under which a backend keeps an entry or counter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntryKey(Arc<str>);

/// What is kept under a key. Each kind has keys of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Cache,
    Ephemeral,
    Counter,
    Mark,
}

impl EntryKey {
    /// The key of an entry of `name` that belongs to `owner`: a tenant, or what no tenant is named.
    pub(crate) fn new(
        kind: Kind,
        name: &str,
        owner: impl fmt::Display,
        key: &(impl Serialize + ?Sized),
    ) -> Result<Self, CacheError> {
        let kind = match kind {
            Kind::Cache => "cache",
            Kind::Ephemeral => "ephemeral",
            Kind::Counter => "counter",
            Kind::Mark => "mark",
        };
        let mut key = serde_json::to_string(key).map_err(CacheError::Key)?;
        if key.len() > READABLE {
            let digest = Sha256::digest(key.as_bytes());
            // No JSON text begins like this.
            key = digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"));
        }
        Ok(Self(format!("weft/{kind}/{name}/{owner}/{key}").into()))
    }

    /// The key as text. It may hold personal data: it does not belong into logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        write!(f, "EntryKey({shown}/..)")
    }
}

/// Refuses a name that could be mistaken for another part of a key.
pub(crate) fn check_name(name: &str) -> Result<(), CacheError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > READABLE || !name.bytes().all(allowed) {
        return Err(CacheError::Name(name.chars().take(64).collect()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::HashMap;

    use super::*;

    fn key(key: &(impl Serialize + ?Sized)) -> EntryKey {
        EntryKey::new(Kind::Cache, "products", "tenant", key).unwrap()
    }

    #[test]
    fn parts_of_a_composed_key_are_kept_apart() {
        assert_eq!(key(&("a", 1)).as_str(), r#"weft/cache/products/tenant/["a",1]"#);
        assert_ne!(key(&("a", "b/c")), key(&("a/b", "c")));
        assert_ne!(key("1"), key(&1));
    }

    #[test]
    fn long_keys_are_short_and_still_differ() {
        let (one, other) = (key(&"x".repeat(100_000)), key(&"x".repeat(100_001)));
        assert!(one.as_str().len() < 128);
        assert_ne!(one, other);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", key("ada@example.com")), "EntryKey(weft/cache/products/..)");
    }

    #[test]
    fn what_json_cannot_say_is_no_key() {
        let error = EntryKey::new(Kind::Cache, "products", "tenant", &HashMap::from([(vec![1], 1)]));
        assert!(matches!(error, Err(CacheError::Key(_))));
    }

    #[test]
    fn names_hold_no_separators() {
        assert!(check_name("catalog.products-2").is_ok());
        for name in ["", "a/b", "A", "ü", "a b"] {
            assert!(matches!(check_name(name), Err(CacheError::Name(_))), "{name}");
        }
    }
}
