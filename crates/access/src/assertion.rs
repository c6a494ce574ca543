//! On whose account a call is made, as the edge vouches for it.
//!
//! # Problem
//!
//! The edge verifies a user's bearer token. The domains behind it must know the user too, without verifying the token
//! again, without asking anyone, and without the token travelling where it could be stolen.
//!
//! # Rule
//!
//! The edge exchanges the token for an assertion: who the principal is, which roles it holds, under which revocation
//! epoch, for at most a minute and never past the token's own end. It is signed with the edge's workload key and carries
//! the edge's certificate chain, so the mesh's trust roots are all that a domain needs to verify it. Its audience is the
//! trust domain. Domains pass it on unread from call to call; who calls is the connection's matter, not the assertion's.
//!
//! A verified assertion is remembered, all of it, until it ends, so that a repeat costs one look-up. Its time is
//! checked at every look-up. A root that is removed stops vouching for new assertions at once, and for remembered ones
//! when they end. Epochs are compared elsewhere, against what is revoked by now.
//!
//! # Recovery
//!
//! A refused assertion refuses the call; there is no lesser principal to fall back to. The edge issues a new one with
//! the next request.

mod wire;

use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use foldhash::quality::RandomState;
use prost::Message as _;
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};
use weft_call::{Assertion, Principal};
use weft_workload_identity::{CertificateSource, Identity, IdentityError, PeerError, Signature, WorkloadName, sign, verify};

/// The binary metadata that carries an assertion from call to call.
pub const ASSERTION_METADATA: &str = "weft-assertion-bin";

/// Longest life of an assertion: long enough for a request and its consequences, short enough to be worth no theft.
const LIFE: TimeDelta = TimeDelta::seconds(60);
/// How far the clocks of two domains may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);
/// Longest assertion that is looked at. A certificate chain and a hundred roles fit well.
const MAX_BYTES: usize = 8 * 1024;
/// The same as base64.
const MAX_TEXT: usize = MAX_BYTES.div_ceil(3) * 4;
/// As many assertions as a busy domain has room for from the beginning.
const EXPECTED: usize = 1024;
/// Memory for remembered assertions; those that were used once, long ago, go first.
const MEMORY_BYTES: u64 = 16 * 1024 * 1024;
/// What is signed, and its version: a change of meaning takes another name.
const CONTEXT: &str = "weft assertion v1";

/// What a verified assertion says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// On whose account: a user or a service account.
    pub principal: Principal,
    /// When the edge said so.
    pub issued_at: DateTime<Utc>,
    /// From when on it no longer holds.
    pub expires_at: DateTime<Utc>,
}

/// Why an assertion cannot be made or is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    /// Only users and service accounts are vouched for; workloads prove themselves, and nobody needs no proof.
    #[error("only users and service accounts are vouched for, not {0}")]
    Principal(Principal),
    /// The credentials that the assertion would stand for, or the signer's certificate, have ended.
    #[error("the credentials have expired")]
    CredentialsExpired,
    /// The signer has no usable certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It is longer than 8 KiB.
    #[error("the assertion has {0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
    /// It is not what binary metadata is.
    #[error("the assertion is not in base64")]
    NoBase64,
    /// It is no assertion.
    #[error("the assertion cannot be read: {0}")]
    Encoding(#[from] prost::DecodeError),
    /// Nobody who may vouch for users signed it.
    #[error("the assertion is not trusted: {0}")]
    Signer(#[from] PeerError),
    /// A field holds what no signer of ours writes.
    #[error("the assertion's field {0} is not valid")]
    Field(&'static str),
    /// It was made for another mesh.
    #[error("the assertion is for another mesh than {expected}")]
    Audience {
        /// Our trust domain.
        expected: String,
    },
    /// It comes from the future, by more than clocks differ.
    #[error("the assertion is issued at {0}, which is to come")]
    NotYetIssued(DateTime<Utc>),
    /// Its time is over.
    #[error("the assertion expired at {0}")]
    Expired(DateTime<Utc>),
}

/// Vouches for principals with a workload's key.
#[derive(Debug, Clone)]
pub struct AssertionSigner {
    source: Arc<dyn CertificateSource>,
    workload: WorkloadName,
}

/// Believes what trusted workloads assert.
#[derive(Debug)]
pub struct AssertionVerifier {
    source: Arc<dyn CertificateSource>,
    trusted: Vec<WorkloadName>,
    /// By its text. Only what is verified gets in, so nobody can aim at the hash.
    verified: Cache<Box<[u8]>, Arc<Claims>, Memory, RandomState>,
}

// === impl AssertionSigner ===

impl AssertionSigner {
    /// A signer that uses the workload's certificate of the moment.
    pub fn new(source: Arc<dyn CertificateSource>, workload: WorkloadName) -> Self {
        Self { source, workload }
    }

    /// The certificate that it signs with at this moment. What was signed with another is believed only for as
    /// long as that one's root is trusted.
    pub fn identity(&self) -> Result<Arc<Identity>, AssertionError> {
        Ok(self.source.identity(&self.workload)?)
    }

    /// Vouches for a principal for a minute, or until its credentials or the signer's certificate end.
    ///
    /// What comes back is to be kept from logs: within the mesh and its minute, who has it acts as the principal.
    pub fn sign(
        &self,
        principal: &Principal,
        credentials_expire_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Assertion, AssertionError> {
        let identity = self.source.identity(&self.workload)?;
        let expires_at = (now + LIFE).min(credentials_expire_at).min(identity.not_after().into());
        if expires_at <= now {
            return Err(AssertionError::CredentialsExpired);
        }
        let mut claims = wire::Claims::of(principal)?;
        self.source.roots().trust_domain().as_str().clone_into(&mut claims.audience);
        claims.issued_at_micros = now.timestamp_micros();
        claims.expires_at_micros = expires_at.timestamp_micros();
        let claims = claims.encode_to_vec();
        let signature = sign(&identity, CONTEXT, &claims)?;
        let assertion = wire::Assertion {
            claims,
            scheme: signature.scheme.into(),
            signature: signature.bytes,
            chain: identity.chain().iter().map(|certificate| certificate.to_vec()).collect(),
        };
        match assertion.encoded_len() {
            length if length > MAX_BYTES => Err(AssertionError::TooLong(length)),
            _ => Ok(Assertion::new(&assertion.encode_to_vec())),
        }
    }
}

// === impl AssertionVerifier ===

impl AssertionVerifier {
    /// A verifier that believes what the `trusted` workloads of the mesh sign: the edge, as a rule.
    pub fn new(source: Arc<dyn CertificateSource>, trusted: Vec<WorkloadName>) -> Self {
        let verified = Cache::with(EXPECTED, MEMORY_BYTES, Memory, RandomState::default(), DefaultLifecycle::default());
        Self { source, trusted, verified }
    }

    /// What the assertion says, if it is to be believed at `now`.
    pub fn verify(&self, assertion: &Assertion, now: DateTime<Utc>) -> Result<Arc<Claims>, AssertionError> {
        let text = assertion.header().as_bytes();
        if let Some(claims) = self.verified.get(text) {
            if let Err(error) = check_time(&claims, now) {
                self.verified.remove(text);
                return Err(error);
            }
            return Ok(claims);
        }
        if text.len() > MAX_TEXT {
            return Err(AssertionError::TooLong(text.len() / 4 * 3));
        }
        let signed = assertion.signed().ok_or(AssertionError::NoBase64)?;
        let claims = Arc::new(self.verify_anew(&signed, now)?);
        self.verified.insert(text.into(), Arc::clone(&claims));
        Ok(claims)
    }

    fn verify_anew(&self, assertion: &[u8], now: DateTime<Utc>) -> Result<Claims, AssertionError> {
        if assertion.len() > MAX_BYTES {
            return Err(AssertionError::TooLong(assertion.len()));
        }
        let assertion = wire::Assertion::decode(assertion)?;
        let chain: Vec<_> = assertion.chain.iter().map(|certificate| certificate.as_slice().into()).collect();
        let scheme = u16::try_from(assertion.scheme).map_err(|_| AssertionError::Field("scheme"))?;
        let signature = Signature { scheme, bytes: assertion.signature };
        let roots = self.source.roots();
        let at = SystemTime::from(now);
        // Not a byte of the claims is read before it is known who wrote them.
        verify(&roots, &chain, &self.trusted, CONTEXT, &assertion.claims, &signature, at)?;
        let claims = wire::Claims::decode(assertion.claims.as_slice())?;
        if claims.audience != roots.trust_domain().as_str() {
            return Err(AssertionError::Audience { expected: roots.trust_domain().to_string() });
        }
        let claims = claims.read()?;
        check_time(&claims, now)?;
        Ok(claims)
    }
}

fn check_time(claims: &Claims, now: DateTime<Utc>) -> Result<(), AssertionError> {
    if now + CLOCK_SKEW < claims.issued_at {
        return Err(AssertionError::NotYetIssued(claims.issued_at));
    }
    if now - CLOCK_SKEW >= claims.expires_at {
        return Err(AssertionError::Expired(claims.expires_at));
    }
    Ok(())
}

/// About how many bytes remembering an assertion takes, its key and the map's own share included.
#[derive(Clone, Debug)]
struct Memory;

impl Weighter<Box<[u8]>, Arc<Claims>> for Memory {
    fn weight(&self, assertion: &Box<[u8]>, claims: &Arc<Claims>) -> u64 {
        const ENTRY: usize = 512;
        let roles: usize = claims.principal.roles().iter().map(|role| size_of::<String>() + role.len()).sum();
        (ENTRY + assertion.len() + roles) as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use uuid::Uuid;
    use weft_call::{ServiceAccount, TenantId, User};
    use weft_workload_identity::{DevelopmentCa, TrustDomain};

    use super::*;

    struct Mesh {
        source: Arc<DevelopmentCa>,
        _folder: tempfile::TempDir,
    }

    fn mesh(trust_domain: &str) -> Mesh {
        let folder = tempfile::tempdir().unwrap();
        let trust_domain: TrustDomain = trust_domain.parse().unwrap();
        Mesh { source: Arc::new(DevelopmentCa::open(&folder.path().join("ca"), trust_domain).unwrap()), _folder: folder }
    }

    /// As a peer sends what is signed, or not.
    fn sent(bytes: &[u8]) -> Assertion {
        Assertion::new(bytes)
    }

    impl Mesh {
        fn new() -> Self {
            mesh("weft.local")
        }

        fn signer(&self, workload: &str) -> AssertionSigner {
            AssertionSigner::new(self.source.clone(), workload.parse().unwrap())
        }

        fn verifier(&self) -> AssertionVerifier {
            AssertionVerifier::new(self.source.clone(), vec!["edge".parse().unwrap()])
        }

        /// Signs what the signer would not write.
        fn forge(&self, claims: &wire::Claims) -> Assertion {
            let identity = self.source.identity(&"edge".parse().unwrap()).unwrap();
            let claims = claims.encode_to_vec();
            let signature = sign(&identity, CONTEXT, &claims).unwrap();
            let chain = vec![identity.chain()[0].to_vec()];
            let forged = wire::Assertion { claims, scheme: signature.scheme.into(), signature: signature.bytes, chain };
            sent(&forged.encode_to_vec())
        }
    }

    fn user() -> Principal {
        Principal::User(User {
            id: Uuid::now_v7(),
            tenant: TenantId(Uuid::now_v7()),
            session: Uuid::now_v7(),
            roles: ["manager".to_owned(), "viewer".to_owned()].into(),
            epoch: 7,
        })
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_micros(Utc::now().timestamp_micros()).unwrap()
    }

    fn hour() -> TimeDelta {
        TimeDelta::hours(1)
    }

    /// Claims that are valid in every respect.
    fn valid() -> wire::Claims {
        let mut claims = wire::Claims::of(&user()).unwrap();
        claims.audience = "weft.local".to_owned();
        claims.issued_at_micros = now().timestamp_micros();
        claims.expires_at_micros = (now() + TimeDelta::seconds(30)).timestamp_micros();
        claims
    }

    #[test]
    fn what_the_edge_says_of_a_principal_arrives_whole() {
        let (mesh, now) = (Mesh::new(), now());
        let account = Principal::ServiceAccount(ServiceAccount {
            id: Uuid::now_v7(),
            tenant: TenantId(Uuid::now_v7()),
            roles: Vec::new().into(),
            epoch: 0,
        });
        for principal in [user(), account] {
            let assertion = mesh.signer("edge").sign(&principal, now + hour(), now).unwrap();
            let claims = mesh.verifier().verify(&assertion, now).unwrap();
            assert_eq!(*claims, Claims { principal, issued_at: now, expires_at: now + LIFE });
        }
    }

    #[test]
    fn a_verified_assertion_is_remembered() {
        let (mesh, now) = (Mesh::new(), now());
        let assertion = mesh.signer("edge").sign(&user(), now + hour(), now).unwrap();
        let verifier = mesh.verifier();
        let first = verifier.verify(&assertion, now).unwrap();
        let second = verifier.verify(&assertion, now).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn an_assertion_ends_also_when_it_is_remembered() {
        let (mesh, now) = (Mesh::new(), now());
        let assertion = mesh.signer("edge").sign(&user(), now + hour(), now).unwrap();
        let verifier = mesh.verifier();
        verifier.verify(&assertion, now).unwrap();
        let end = now + LIFE + CLOCK_SKEW;
        verifier.verify(&assertion, end - TimeDelta::microseconds(1)).unwrap();
        for verifier in [verifier, mesh.verifier()] {
            let refused = verifier.verify(&assertion, end);
            assert!(matches!(refused, Err(AssertionError::Expired(_))), "{refused:?}");
        }
    }

    #[test]
    fn an_assertion_from_the_future_is_refused_beyond_the_clocks_difference() {
        let (mesh, now) = (Mesh::new(), now());
        let assertion = mesh.signer("edge").sign(&user(), now + hour(), now).unwrap();
        let early = now - CLOCK_SKEW;
        mesh.verifier().verify(&assertion, early).unwrap();
        let refused = mesh.verifier().verify(&assertion, early - TimeDelta::microseconds(1));
        assert!(matches!(refused, Err(AssertionError::NotYetIssued(_))), "{refused:?}");
    }

    #[test]
    fn an_assertion_does_not_outlive_the_credentials() {
        let (mesh, now) = (Mesh::new(), now());
        let end = now + TimeDelta::seconds(10);
        let assertion = mesh.signer("edge").sign(&user(), end, now).unwrap();
        assert_eq!(mesh.verifier().verify(&assertion, now).unwrap().expires_at, end);
        let refused = mesh.signer("edge").sign(&user(), now, now);
        assert!(matches!(refused, Err(AssertionError::CredentialsExpired)), "{refused:?}");
    }

    #[test]
    fn a_domain_other_than_the_edge_is_not_believed() {
        let (mesh, now) = (Mesh::new(), now());
        let assertion = mesh.signer("orders").sign(&user(), now + hour(), now).unwrap();
        let refused = mesh.verifier().verify(&assertion, now);
        let expected = matches!(refused, Err(AssertionError::Signer(PeerError::OtherWorkload { .. })));
        assert!(expected, "{refused:?}");
    }

    #[test]
    fn the_edge_of_another_mesh_is_not_believed() {
        let (mesh, other, now) = (Mesh::new(), Mesh::new(), now());
        let assertion = other.signer("edge").sign(&user(), now + hour(), now).unwrap();
        let refused = mesh.verifier().verify(&assertion, now);
        assert!(matches!(refused, Err(AssertionError::Signer(PeerError::Chain(_)))), "{refused:?}");
    }

    #[test]
    fn a_changed_byte_is_never_believed_to_say_something_else() {
        let (mesh, now) = (Mesh::new(), now());
        let assertion = mesh.signer("edge").sign(&user(), now + hour(), now).unwrap();
        let verifier = mesh.verifier();
        verifier.verify(&assertion, now).unwrap();
        let signed = assertion.signed().unwrap();
        for byte in 0..signed.len() {
            let mut forged = signed.clone();
            forged[byte] ^= 1;
            assert!(verifier.verify(&sent(&forged), now).is_err(), "byte {byte} of {}", signed.len());
        }
        for length in 0..signed.len() {
            assert!(verifier.verify(&sent(&signed[..length]), now).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_looked_at() {
        for length in [MAX_BYTES + 1, MAX_BYTES * 10] {
            let refused = Mesh::new().verifier().verify(&sent(&vec![0; length]), now());
            assert!(matches!(refused, Err(AssertionError::TooLong(_))), "{refused:?}");
        }
    }

    #[test]
    fn a_principal_with_too_many_roles_gets_no_assertion() {
        let (mesh, now) = (Mesh::new(), now());
        let Principal::User(mut user) = user() else { panic!("not a user") };
        user.roles = vec!["role".repeat(100); 20].into();
        let refused = mesh.signer("edge").sign(&Principal::User(user), now + hour(), now);
        assert!(matches!(refused, Err(AssertionError::TooLong(_))), "{refused:?}");
    }

    #[test]
    fn only_users_and_service_accounts_are_vouched_for() {
        let (mesh, now) = (Mesh::new(), now());
        let job = Principal::Job { domain: "orders", name: "expire" };
        for principal in [Principal::Anonymous, Principal::Workload("orders".into()), job] {
            let refused = mesh.signer("edge").sign(&principal, now + hour(), now);
            assert!(matches!(refused, Err(AssertionError::Principal(_))), "{refused:?}");
        }
    }

    #[test]
    fn claims_without_sense_are_refused_by_their_field_even_from_the_edge() {
        type Spoil = fn(&mut wire::Claims);
        let mesh = Mesh::new();
        mesh.verifier().verify(&mesh.forge(&valid()), now()).unwrap();
        let cases: [(&str, Spoil); 8] = [
            ("subject", |claims| claims.subject.clear()),
            ("tenant", |claims| claims.tenant.push(0)),
            ("session", |claims| claims.session.clear()),
            ("session", |claims| claims.kind = wire::Kind::ServiceAccount.into()),
            ("kind", |claims| claims.kind = 0),
            ("kind", |claims| claims.kind = 9),
            ("expires_at_micros", |claims| claims.expires_at_micros += 60_000_000),
            ("issued_at_micros", |claims| claims.issued_at_micros = i64::MIN),
        ];
        for (field, spoil) in cases {
            let mut claims = valid();
            spoil(&mut claims);
            let refused = mesh.verifier().verify(&mesh.forge(&claims), now());
            assert!(matches!(refused, Err(AssertionError::Field(named)) if named == field), "{field}: {refused:?}");
        }
    }

    #[test]
    fn an_assertion_for_another_mesh_is_refused() {
        let mesh = Mesh::new();
        let mut claims = valid();
        claims.audience = "other.local".to_owned();
        let refused = mesh.verifier().verify(&mesh.forge(&claims), now());
        assert!(matches!(refused, Err(AssertionError::Audience { .. })), "{refused:?}");
    }
}
