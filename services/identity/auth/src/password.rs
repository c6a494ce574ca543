//! Password hashes: Argon2id (RFC 9106) at the strength that OWASP's Password Storage Cheat Sheet
//! asks for, stored as PHC strings.
//!
//! Problem: the cost of a hash must grow with the machines of attackers. Rule: each stored hash names
//! its own cost and is checked by it. Recovery: a hash of another cost than today's is replaced at
//! the next login, the only moment when the password is known.

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::random::{self, RandomError};

/// KiB of memory.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT_BYTES: usize = 32;
const SALT_BYTES: usize = 16;
/// A stored hash that asks for more than this (KiB, passes) is damaged: checking it would take the
/// process's memory.
const LARGEST: (u32, u32) = (1 << 20, 16);

/// A password on its way to the hash; wiped when dropped, and never printed.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Working memory of one hash. It grows to what the hash needs and can serve the next.
pub(crate) type Memory = Vec<Block>;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not the password.
    Wrong,
    /// It is the password.
    Right,
    /// It is the password, and its hash should be replaced by one of today's cost.
    Outdated,
}

/// A password that cannot be hashed or checked: never the fault of who typed it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a stored password hash cannot be read: {0}")]
    Format(argon2::password_hash::phc::Error),
    #[error("a stored password hash cannot be read: {0}")]
    Cost(argon2::password_hash::Error),
    #[error("a stored password hash is not Argon2id of version 19, has no salt or output, or asks for too much memory or time")]
    Unsupported,
    #[error("a password cannot be hashed: {0}")]
    Argon2(argon2::Error),
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Hashes a password with a fresh salt.
pub(crate) fn hash(password: &Password, memory: &mut Memory) -> Result<String, PasswordError> {
    let salt = random::bytes::<SALT_BYTES>()?;
    let params = todays_cost()?;
    let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
    fill(&argon2id(params.clone()), password.bytes(), salt.as_slice(), output.as_mut_slice(), memory)?;
    phc(&params, salt.as_slice(), output.as_slice())
}

/// Compares a password with a stored hash, in a time that does not depend on where they differ.
pub(crate) fn verify(password: &Password, stored: &str, memory: &mut Memory) -> Result<Verdict, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(PasswordError::Format)?;
    let version = stored.version.is_none_or(|version| version == u32::from(Version::V0x13));
    let (Some(salt), Some(expected), true) =
        (&stored.salt, &stored.hash, version && stored.algorithm == Algorithm::Argon2id.ident())
    else {
        return Err(PasswordError::Unsupported);
    };
    let params = Params::try_from(&stored).map_err(PasswordError::Cost)?;
    if params.m_cost() > LARGEST.0 || params.t_cost() > LARGEST.1 {
        return Err(PasswordError::Unsupported);
    }
    let mut output = Zeroizing::new(vec![0; expected.len()]);
    fill(&argon2id(params.clone()), password.bytes(), salt, &mut output, memory)?;
    if !bool::from(output.as_slice().ct_eq(expected.as_bytes())) {
        return Ok(Verdict::Wrong);
    }
    let today = (MEMORY, PASSES, LANES, OUTPUT_BYTES);
    let same = (params.m_cost(), params.t_cost(), params.p_cost(), expected.len()) == today;
    Ok(if same { Verdict::Right } else { Verdict::Outdated })
}

/// A hash that no password has: what a login with an unknown address is checked against, so that it
/// takes as long as one with a known address.
pub(crate) fn decoy() -> Result<String, PasswordError> {
    phc(&todays_cost()?, random::bytes::<SALT_BYTES>()?.as_slice(), random::bytes::<OUTPUT_BYTES>()?.as_slice())
}

fn todays_cost() -> Result<Params, PasswordError> {
    Params::new(MEMORY, PASSES, LANES, Some(OUTPUT_BYTES)).map_err(PasswordError::Argon2)
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn fill(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], output: &mut [u8], memory: &mut Memory) -> Result<(), PasswordError> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    // Exactly as many as the parameters say: the algorithm derives its shape from the slice.
    let memory = memory.get_mut(..blocks).unwrap_or_default();
    argon2.hash_password_into_with_memory(password, salt, output, memory).map_err(PasswordError::Argon2)
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Result<String, PasswordError> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(PasswordError::Cost)?,
        salt: Some(Salt::new(salt).map_err(PasswordError::Format)?),
        hash: Some(Output::new(output).map_err(PasswordError::Format)?),
    };
    Ok(hash.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use argon2::{AssociatedData, ParamsBuilder};

    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    /// RFC 9106 section 5.3.
    #[test]
    fn argon2id_agrees_with_the_test_vector_of_rfc_9106() {
        let mut params = ParamsBuilder::new();
        params.m_cost(32).t_cost(3).p_cost(4).output_len(32).data(AssociatedData::new(&[4; 12]).unwrap());
        let secret = [3; 8];
        let argon2 = Argon2::new_with_secret(&secret, Algorithm::Argon2id, Version::V0x13, params.build().unwrap()).unwrap();
        // Memory that another hash used and that is larger than needed: as it comes from the pool.
        let mut memory = vec![Block::new(); 100];
        memory[0].as_mut()[0] = u64::MAX;
        let mut tag = [0; 32];
        fill(&argon2, &[1; 32], &[2; 16], &mut tag, &mut memory).unwrap();
        let expected = [
            0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9, 0xd0, 0x1e, 0xf0,
            0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
        ];
        assert_eq!(tag, expected);
    }

    #[test]
    fn a_hash_is_of_todays_cost_and_accepts_its_password_alone() {
        let mut memory = Memory::new();
        let stored = hash(&password("correct horse"), &mut memory).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify(&password("correct horse"), &stored, &mut memory).unwrap(), Verdict::Right);
        assert_eq!(verify(&password("correct hors"), &stored, &mut memory).unwrap(), Verdict::Wrong);
        assert_ne!(hash(&password("correct horse"), &mut memory).unwrap(), stored, "the salt is fresh");
    }

    #[test]
    fn a_hash_of_another_cost_is_accepted_and_called_outdated() {
        let params = Params::new(64, 1, 1, Some(32)).unwrap();
        let (mut memory, mut output) = (Memory::new(), [0; 32]);
        fill(&argon2id(params.clone()), b"pass word", &[7; 16], &mut output, &mut memory).unwrap();
        let stored = phc(&params, &[7; 16], &output).unwrap();
        assert_eq!(verify(&password("pass word"), &stored, &mut memory).unwrap(), Verdict::Outdated);
        assert_eq!(verify(&password("pass-word"), &stored, &mut memory).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_decoy_has_todays_cost_and_accepts_nothing() {
        let stored = decoy().unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify(&password(""), &stored, &mut Memory::new()).unwrap(), Verdict::Wrong);
    }

    #[test]
    fn a_damaged_hash_is_an_error_and_never_a_match() {
        let good = "$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let damaged = [
            good.replace("m=64", "m=99999999"),
            good.replace("t=1", "t=1000"),
            good.replace("argon2id", "argon2i"),
            good.replace("v=19", "v=16"),
            good.rsplit_once('$').unwrap().0.to_owned(),
            String::new(),
        ];
        for stored in damaged {
            assert!(verify(&password("x"), &stored, &mut Memory::new()).is_err(), "{stored}");
        }
    }
}
