//! Refresh tokens: what a client holds, what the database keeps, and how one leads to the next.
//!
//! Problem: a replaced token must still lead to its successor for some seconds, for a client with
//! several tabs or a lost answer; yet neither a copy of the database nor a stolen old token may be
//! enough to compute a live one.
//! Rule: a token is two halves of 32 random bytes. The first names the session and never changes;
//! the second changes with each refresh. The database keeps SHA-256 of both. The next second half
//! is HMAC-SHA256 of a random nonce under the present one: the nonce stands in the database and the
//! key in no place but the client, so both are needed.
//! Recovery: whoever shows the right first half with a second half that is neither live nor fresh
//! has an old copy, which is what theft looks like. A first half cannot be guessed, so nobody can
//! end another's session by showing nonsense.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random::{self, RandomError};

const HALF: usize = 32;

/// A refresh token. It is wiped when dropped, and never printed.
pub(crate) struct RefreshToken {
    family: Zeroizing<[u8; HALF]>,
    secret: Zeroizing<[u8; HALF]>,
}

/// SHA-256 of half a token: what the database keeps.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint([u8; digest::SHA256_OUTPUT_LEN]);

/// What leads from a token to its successor, together with the token.
#[derive(Clone)]
pub(crate) struct Nonce(Vec<u8>);

impl RefreshToken {
    /// The first token of a new session.
    pub(crate) fn fresh() -> Result<Self, RandomError> {
        Ok(Self { family: random::bytes()?, secret: random::bytes()? })
    }

    /// Reads a token that a client sent; none if it has not the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 2 * HALF]);
        // The slice form writes into our memory and leaves no copy behind.
        let length = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut_slice()).ok()?;
        let (family, secret) = bytes.get(..length)?.split_at_checked(HALF)?;
        Some(Self { family: Zeroizing::new(family.try_into().ok()?), secret: Zeroizing::new(secret.try_into().ok()?) })
    }

    /// The token as the client keeps it: 86 characters of base64url.
    pub(crate) fn to_text(&self) -> String {
        let mut bytes = Zeroizing::new([0; 2 * HALF]);
        bytes[..HALF].copy_from_slice(self.family.as_slice());
        bytes[HALF..].copy_from_slice(self.secret.as_slice());
        URL_SAFE_NO_PAD.encode(bytes.as_slice())
    }

    /// What the session is found by.
    pub(crate) fn family_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.family.as_slice())
    }

    /// What tells the tokens of a session apart.
    pub(crate) fn secret_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.secret.as_slice())
    }

    /// The token that replaces this one by way of `nonce`.
    pub(crate) fn successor(&self, nonce: &Nonce) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_slice());
        let mut secret = Zeroizing::new([0; HALF]);
        secret.copy_from_slice(hmac::sign(&key, &nonce.0).as_ref());
        Self { family: self.family.clone(), secret }
    }
}

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        let mut fingerprint = [0; digest::SHA256_OUTPUT_LEN];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(fingerprint)
    }

    /// True if it is the stored one; the time that takes says nothing of where they differ.
    pub(crate) fn is(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }

    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl Nonce {
    pub(crate) fn fresh() -> Result<Self, RandomError> {
        Ok(Self(random::bytes::<HALF>()?.to_vec()))
    }

    pub(crate) fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.0.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        let token = RefreshToken::fresh().unwrap();
        let text = token.to_text();
        assert_eq!(text.len(), 86);
        let read = RefreshToken::parse(&text).unwrap();
        assert!(read.family_fingerprint().is(&token.family_fingerprint().to_vec()));
        assert!(read.secret_fingerprint().is(&token.secret_fingerprint().to_vec()));
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        let text = RefreshToken::fresh().unwrap().to_text();
        for bad in ["", "x", &text[1..], &format!("{text}AA"), &text.replace(&text[..1], "!"), &"A".repeat(512)] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_successor_keeps_the_family_and_depends_on_token_and_nonce() {
        let (token, nonce) = (RefreshToken::fresh().unwrap(), Nonce::fresh().unwrap());
        let next = token.successor(&nonce);
        assert_eq!(next.to_text(), token.successor(&nonce).to_text());
        assert!(next.family_fingerprint().is(&token.family_fingerprint().to_vec()));
        assert_ne!(next.to_text(), token.to_text());
        assert_ne!(next.to_text(), token.successor(&Nonce::fresh().unwrap()).to_text());
        let other = RefreshToken::fresh().unwrap().successor(&nonce);
        assert!(!other.secret_fingerprint().is(&next.secret_fingerprint().to_vec()));
    }
}
