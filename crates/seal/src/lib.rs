//! Secrets at rest, sealed with keys of the installation.
//!
//! # Problem
//!
//! A domain must keep secrets that it needs again in the clear: seeds of signing keys, keys of
//! providers. Whoever reads the database, or a dump of it, must not have them.
//!
//! # Rule
//!
//! - [`Sealer::seal`] encrypts and authenticates with XChaCha20-Poly1305
//!   (draft-irtf-cfrg-xchacha-03), whose nonces are long enough to be drawn at random for ever.
//! - What is sealed is bound to its place, such as `auth/signing_keys/7`: moved to another row, it does
//!   not open.
//! - Keys are 32 bytes and come from the configuration, never from the database. Each has an id that is
//!   derived from it and stands in front of what it sealed: sealing is by the newest key, opening by
//!   whichever is named.
//!
//! # Recovery
//!
//! To rotate, put a new key in front and keep the old one: jobs of the domains seal anew whatever
//! [`Sealer::is_current`] denies, after which the old key can go. What was sealed by a key that is
//! lost is lost.

mod key;

use std::{fmt, sync::Arc};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use key::{ID_LENGTH, Key};
pub use key::{KeyError, fresh_key};

/// The first bytes of everything that is sealed: the name of the form, and its version.
const FORM: &[u8; 5] = b"weft\x01";
const NONCE_LENGTH: usize = 24;
const HEAD: usize = FORM.len() + ID_LENGTH + NONCE_LENGTH;

/// The keys of an installation. Cloning it shares them; they are never printed.
#[derive(Clone)]
pub struct Sealer {
    /// The newest first.
    keys: Arc<[Key]>,
}

/// Why something cannot be sealed or opened. It says nothing of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// It is too large for the cipher.
    #[error("it is too large to be sealed")]
    TooLarge,
    /// It is not in the form that seals have.
    #[error("it is not sealed, or damaged")]
    Form,
    /// The key that sealed it is not among the keys of this process.
    #[error("it was sealed by a key that is neither seal.key nor one of seal.previous_keys")]
    KeyUnknown,
    /// It was changed, or moved from another place.
    #[error("it was changed since it was sealed, or belongs to another place")]
    Forged,
}

impl Sealer {
    /// With keys in base64, 32 bytes each: the newest, and those before it.
    pub fn new<'a>(newest: &'a str, previous: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyError> {
        let keys = std::iter::once(newest).chain(previous).map(Key::parse).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Seals a secret for a place, by the newest key.
    pub fn seal(&self, place: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let key = self.keys.first().ok_or(SealError::KeyUnknown)?;
        let mut nonce = [0; NONCE_LENGTH];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        let payload = Payload { msg: secret, aad: place.as_bytes() };
        let sealed = key.cipher::<XChaCha20Poly1305>().encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::TooLarge)?;
        Ok([FORM.as_slice(), key.id(), &nonce, &sealed].concat())
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let id = key_id(sealed).ok_or(SealError::Form)?;
        let key = self.keys.iter().find(|key| key.id() == id).ok_or(SealError::KeyUnknown)?;
        let nonce = sealed.get(FORM.len() + ID_LENGTH..HEAD).and_then(|nonce| <[u8; NONCE_LENGTH]>::try_from(nonce).ok());
        let (nonce, message) = nonce.zip(sealed.get(HEAD..)).ok_or(SealError::Form)?;
        let payload = Payload { msg: message, aad: place.as_bytes() };
        let opened = key.cipher::<XChaCha20Poly1305>().decrypt(&XNonce::from(nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| SealError::Forged)
    }

    /// True if the newest key sealed it; otherwise it is to be sealed anew.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        key_id(sealed).is_some_and(|id| self.keys.first().is_some_and(|key| key.id() == id))
    }
}

/// True for what looks sealed, by whichever key.
pub fn is_sealed(bytes: &[u8]) -> bool {
    key_id(bytes).is_some()
}

fn key_id(sealed: &[u8]) -> Option<&[u8]> {
    sealed.strip_prefix(FORM.as_slice()).filter(|_| sealed.len() >= HEAD)?.get(..ID_LENGTH)
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keys", &self.keys.len()).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer() -> (Sealer, Zeroizing<String>) {
        let key = fresh_key().unwrap();
        (Sealer::new(&key, []).unwrap(), key)
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_and_nowhere_else() {
        let (sealer, _) = sealer();
        let sealed = sealer.seal("auth/signing_keys/7", b"a seed").unwrap();
        assert_eq!(sealer.open("auth/signing_keys/7", &sealed).unwrap().as_slice(), b"a seed");
        assert_eq!(sealer.open("auth/signing_keys/8", &sealed), Err(SealError::Forged));
        assert!(!sealed.windows(6).any(|window| window == b"a seed"));
    }

    #[test]
    fn two_seals_of_one_secret_differ() {
        let (sealer, _) = sealer();
        assert_ne!(sealer.seal("a", b"same").unwrap(), sealer.seal("a", b"same").unwrap());
    }

    #[test]
    fn an_old_key_opens_and_a_new_one_seals() {
        let (old, old_key) = sealer();
        let new_key = fresh_key().unwrap();
        let both = Sealer::new(&new_key, [old_key.as_str()]).unwrap();
        let sealed = old.seal("a", b"secret").unwrap();
        assert!(old.is_current(&sealed) && !both.is_current(&sealed));
        assert_eq!(both.open("a", &sealed).unwrap().as_slice(), b"secret");
        let resealed = both.seal("a", b"secret").unwrap();
        assert!(both.is_current(&resealed));
        assert_eq!(old.open("a", &resealed), Err(SealError::KeyUnknown));
    }

    #[test]
    fn no_key_is_ever_printed() {
        let (sealer, key) = sealer();
        assert_eq!(format!("{sealer:?}"), "Sealer { keys: 1 }");
        let error = Sealer::new(&key[1..], []).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&key[1..20]));
    }

    proptest! {
        #[test]
        fn any_change_is_noticed(secret in prop::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8) {
            let (sealer, _) = sealer();
            let mut sealed = sealer.seal("a", &secret).unwrap();
            let at = at.index(sealed.len());
            sealed[at] ^= 1_u8 << bit;
            prop_assert!(sealer.open("a", &sealed).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
            let (sealer, _) = sealer();
            prop_assert!(sealer.open("a", &bytes).is_err());
            prop_assert!(sealer.open("a", &[FORM.as_slice(), &bytes].concat()).is_err());
        }
    }
}
