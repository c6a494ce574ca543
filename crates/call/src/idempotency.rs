//! How a repeated change is answered as the first was.
//!
//! A KEYED method's answer is stored under (tenant, principal, method, key) in the transaction that
//! makes the change. A repeat with the same request gets the stored answer; with another request it
//! is refused. The request is compared by a digest, so that no request content is kept.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::{BoxFuture, Call, Error, Reply, Result};

/// Longest key, in bytes.
const KEY_LIMIT: usize = 255;

/// A key by which a client marks repeats of one change (IETF draft httpapi-idempotency-key-header).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to {KEY_LIMIT} visible ASCII characters")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// Checks a key that a client sent.
    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > KEY_LIMIT || !visible { Err(IdempotencyKeyError) } else { Ok(Self(text.to_owned())) }
    }

    /// A key that nobody has used.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// The key of a step that this key's change makes elsewhere: the same for every repeat.
    #[must_use]
    pub fn derive(&self, step: &str) -> Self {
        let mut digest = Sha256::new();
        // The length keeps ("ab", "c") apart from ("a", "bc").
        digest.update(self.0.len().to_be_bytes());
        digest.update(&self.0);
        digest.update(step);
        Self(Digest(digest.finalize().into()).to_string())
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of a request, for comparing it with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of a message's canonical bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a write returns and a repeat of it gets again.
pub trait Answer: Sized + Send {
    /// The answer as it is stored.
    fn to_bytes(&self) -> Vec<u8>;
    /// The answer that was stored.
    fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError>;
}

impl<M: Message + Default> Answer for M {
    fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        M::decode(bytes)
    }
}

/// The message and the HTTP status and headers that go with it; trailers are not kept.
impl<M: Message + Default> Answer for Reply<M> {
    fn to_bytes(&self) -> Vec<u8> {
        crate::reply::store(self)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, prost::DecodeError> {
        crate::reply::restore(bytes)
    }
}

/// Where a server looks for the answer of an earlier call with the same key.
pub trait Replays: Send + Sync {
    /// The stored answer, as [`Answer::to_bytes`] of the method's `Reply` gave it; an error with
    /// [`crate::MeshReason::IdempotencyKeyReused`] if the key was used with another request.
    fn find<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Bytes>>>;
}

/// What a server keeps of calls: answers for repeats, and who did what.
pub trait Records: Replays {
    /// Records a call that has ended, if its contract asks for it and its change is not recorded: a read, or one that was
    /// refused. An error if that cannot be written.
    fn audit<'a>(&'a self, call: &'a Call, refusal: Option<&'a Error>) -> BoxFuture<'a, Result<()>>;
}

/// For services that keep no records.
#[derive(Clone, Copy, Debug)]
pub struct NoReplays;

impl Replays for NoReplays {
    fn find<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<Option<Bytes>>> {
        Box::pin(async { Ok(None) })
    }
}

impl Records for NoReplays {
    fn audit<'a>(&'a self, _: &'a Call, _: Option<&'a Error>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_visible() {
        assert!(IdempotencyKey::parse("order-1").is_ok());
        for bad in ["", "a b", "a\0", "é", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(bad), Err(IdempotencyKeyError), "{bad:?}");
        }
    }

    #[test]
    fn a_derived_key_is_stable_and_distinct() {
        let key = IdempotencyKey("k".into());
        assert_eq!(key.derive("reserve"), key.derive("reserve"));
        assert_ne!(key.derive("reserve"), key.derive("capture"));
        assert_ne!(IdempotencyKey("ab".into()).derive("c"), IdempotencyKey("a".into()).derive("bc"));
    }
}
