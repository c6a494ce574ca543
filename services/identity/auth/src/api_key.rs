//! API keys: what a program holds, and what the database keeps.
//!
//! Rule: a key is 32 random bytes behind a prefix by which people and secret scanners know it. The database keeps its
//! SHA-256 and finds it by that: what nobody can guess needs no slower digest. The key itself is told once, to whoever made
//! it, and then travels no further than the edge. Recovery: a key that is lost or leaked is revoked, and another made.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest;
use zeroize::Zeroizing;

use crate::random::{self, RandomError};

/// What every key begins with.
const PREFIX: &str = "weft_key_";
/// Keys of one tenant.
pub(crate) const MOST: i64 = 100;

/// A key. It is wiped when dropped, and never printed.
pub(crate) struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// A new one.
    pub(crate) fn fresh() -> Result<Self, RandomError> {
        let secret = random::bytes::<32>()?;
        // Room for all of it from the start: a text that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(secret.as_slice(), &mut text);
        Ok(Self(text))
    }

    /// What is kept of it.
    pub(crate) fn digest(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.0.as_bytes()).as_ref().to_vec()
    }

    /// The key as its holder sends it.
    pub(crate) fn to_text(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_by_their_prefix_and_are_all_different() {
        let (one, other) = (ApiKey::fresh().unwrap(), ApiKey::fresh().unwrap());
        assert!(one.to_text().starts_with(PREFIX) && one.to_text().len() == PREFIX.len() + 43);
        assert_ne!(one.to_text(), other.to_text());
        assert_ne!(one.digest(), other.digest());
    }
}
