//! The keys that sign access tokens, and when each of them does what.
//!
//! Problem: a key must be replaced now and then, while verifiers hold copies of the key set and
//! tokens of the old key are still good.
//! Rule: keys are numbered. Each signs from its time on until the next one does, [`ROTATION`] later.
//! The next is made and listed [`LEAD`] before it signs, and a retired one stays listed until the
//! last token that it signed has expired.
//! Recovery: a verifier that meets an unknown key id reads the key set again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use ring::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use weft_contracts_auth::Key;

/// How long a key signs.
const ROTATION: TimeDelta = TimeDelta::days(30);
/// How long a key is listed before it signs.
const LEAD: TimeDelta = TimeDelta::hours(1);
/// How far clocks of the installation may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// An Ed25519 key pair with its place in the order of keys. The private half is never printed.
pub(crate) struct SigningKey {
    number: i64,
    sign_from: DateTime<Utc>,
    pair: Ed25519KeyPair,
    id: String,
}

/// A stored key that is none.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("signing key {0} in the database is not an Ed25519 seed of 32 bytes")]
pub(crate) struct SigningKeyError(i64);

/// All keys of the installation, by number.
#[derive(Default)]
pub(crate) struct KeyRing(Vec<SigningKey>);

impl SigningKey {
    /// The key of a stored seed.
    pub(crate) fn from_seed(number: i64, seed: &[u8], sign_from: DateTime<Utc>) -> Result<Self, SigningKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningKeyError(number))?;
        let id = thumbprint(pair.public_key().as_ref());
        Ok(Self { number, sign_from, pair, id })
    }

    /// The key's id: its JWK thumbprint (RFC 7638).
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }

    /// The public half as a JSON Web Key (RFC 8037).
    pub(crate) fn jwk(&self) -> Key {
        Key {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(self.pair.public_key()),
            kid: self.id.clone(),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
        }
    }
}

/// RFC 7638 section 3 with the members that RFC 8037 section 2 names: in this order, without spaces.
fn thumbprint(public: &[u8]) -> String {
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(public));
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, jwk.as_bytes()))
}

impl KeyRing {
    pub(crate) fn new(mut keys: Vec<SigningKey>) -> Self {
        keys.sort_by_key(|key| key.number);
        Self(keys)
    }

    /// The key that signs now; none if there is no key yet. The first one also signs before its time:
    /// the clock of the replica that made it may be ahead of ours.
    pub(crate) fn signing(&self, now: DateTime<Utc>) -> Option<&SigningKey> {
        self.0.iter().rev().find(|key| key.sign_from <= now).or(self.0.first())
    }

    /// The keys that verifiers need: those that sign now, soon, or signed a token that is still good.
    pub(crate) fn listed(&self, now: DateTime<Utc>, token_ttl: TimeDelta) -> impl Iterator<Item = &SigningKey> {
        let first = self.first_needed(now, token_ttl);
        self.0.iter().filter(move |key| key.number >= first)
    }

    /// The number below which no key is needed any more.
    pub(crate) fn first_needed(&self, now: DateTime<Utc>, token_ttl: TimeDelta) -> i64 {
        let silent = |key: &&SigningKey| key.sign_from + token_ttl + SKEW <= now;
        // The last key whose turn began so long ago that tokens of those before it have expired.
        self.0.iter().rev().find(silent).map_or(i64::MIN, |key| key.number)
    }

    /// Number and time of the key that should be made now; none if none is due.
    pub(crate) fn due(&self, now: DateTime<Utc>) -> Option<(i64, DateTime<Utc>)> {
        let Some(newest) = self.0.last() else { return Some((0, now)) };
        let turn = newest.sign_from + ROTATION;
        (turn - LEAD <= now).then(|| (newest.number + 1, turn.max(now + LEAD)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;
    const TTL: TimeDelta = TimeDelta::minutes(10);

    fn ring(sign_from: &[TimeDelta]) -> KeyRing {
        let key = |(number, from): (usize, &TimeDelta)| {
            let number = i64::try_from(number).unwrap();
            SigningKey::from_seed(number, &[u8::try_from(number).unwrap(); 32], START + *from).unwrap()
        };
        KeyRing::new(sign_from.iter().enumerate().map(key).collect())
    }

    fn listed(ring: &KeyRing, now: DateTime<Utc>) -> Vec<i64> {
        ring.listed(now, TTL).map(|key| key.number).collect()
    }

    /// RFC 8037 appendix A.3.
    #[test]
    fn a_key_id_is_the_thumbprint_of_rfc_8037() {
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_first_key_is_due_at_once_and_the_next_an_hour_before_its_turn() {
        assert_eq!(KeyRing::default().due(START), Some((0, START)));
        let ring = ring(&[TimeDelta::zero()]);
        assert_eq!(ring.due(START + ROTATION - LEAD - TimeDelta::seconds(1)), None);
        assert_eq!(ring.due(START + ROTATION - LEAD), Some((1, START + ROTATION)));
    }

    #[test]
    fn a_key_that_comes_late_is_still_listed_before_it_signs() {
        let late = START + ROTATION * 3;
        assert_eq!(ring(&[TimeDelta::zero()]).due(late), Some((1, late + LEAD)));
    }

    #[test]
    fn a_key_signs_from_its_turn_until_the_next_ones() {
        let ring = ring(&[TimeDelta::zero(), ROTATION]);
        assert_eq!(ring.signing(START - TimeDelta::seconds(1)).map(|key| key.number), Some(0));
        assert!(KeyRing::default().signing(START).is_none());
        assert_eq!(ring.signing(START + ROTATION - TimeDelta::seconds(1)).map(|key| key.number), Some(0));
        assert_eq!(ring.signing(START + ROTATION).map(|key| key.number), Some(1));
    }

    #[test]
    fn a_key_is_listed_before_its_turn_and_until_its_last_token_expired() {
        let ring = ring(&[TimeDelta::zero(), ROTATION]);
        assert_eq!(listed(&ring, START + ROTATION - LEAD), [0, 1]);
        assert_eq!(listed(&ring, START + ROTATION + TTL), [0, 1]);
        assert_eq!(listed(&ring, START + ROTATION + TTL + SKEW), [1]);
    }

    #[test]
    fn a_damaged_seed_is_refused_by_number() {
        let error = SigningKey::from_seed(7, &[0; 31], START).err().unwrap();
        assert!(error.to_string().contains("signing key 7"));
    }
}
