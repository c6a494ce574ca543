//! A key, and the id that what it sealed is found by.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::KeyInit;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use crate::SealError;

const KEY_LENGTH: usize = 32;
pub(crate) const ID_LENGTH: usize = 8;

/// What the id of a key is derived by.
const ID_LABEL: &[u8] = b"weft seal key id";

/// A text that is no key. It is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealing key is {KEY_LENGTH} random bytes in base64, as `openssl rand -base64 32` prints them")]
pub struct KeyError;

pub(crate) struct Key {
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
    id: [u8; ID_LENGTH],
}

impl Key {
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| KeyError)?);
        let bytes = Zeroizing::new(<[u8; KEY_LENGTH]>::try_from(decoded.as_slice()).map_err(|_| KeyError)?);
        // One-way: the id tells nothing of the key.
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()), ID_LABEL);
        let mut id = [0; ID_LENGTH];
        id.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { bytes, id })
    }

    pub(crate) fn id(&self) -> &[u8] {
        &self.id
    }

    pub(crate) fn cipher<C: KeyInit<KeySize = chacha20poly1305::consts::U32>>(&self) -> C {
        C::new(&(*self.bytes).into())
    }
}

/// A new key, in base64.
pub fn fresh_key() -> Result<Zeroizing<String>, SealError> {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| SealError::NoRandomness)?;
    Ok(Zeroizing::new(STANDARD.encode(bytes.as_slice())))
}
