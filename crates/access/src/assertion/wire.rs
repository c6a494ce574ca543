//! The assertion as bytes: Protocol Buffers, read by no one outside the mesh.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_call::{Principal, ServiceAccount, TenantId, User};

use super::{AssertionError, LIFE};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Assertion {
    /// The encoded [`Claims`], as they were signed.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) claims: Vec<u8>,
    /// The signature scheme's number in TLS.
    #[prost(uint32, tag = "2")]
    pub(super) scheme: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) signature: Vec<u8>,
    /// The signer's certificates in DER, its own first.
    #[prost(bytes = "vec", repeated, tag = "4")]
    pub(super) chain: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Claims {
    /// The trust domain that it is for.
    #[prost(string, tag = "1")]
    pub(super) audience: String,
    #[prost(enumeration = "Kind", tag = "2")]
    pub(super) kind: i32,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) subject: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) tenant: Vec<u8>,
    /// A user's; empty for a service account.
    #[prost(bytes = "vec", tag = "5")]
    pub(super) session: Vec<u8>,
    #[prost(string, repeated, tag = "6")]
    pub(super) roles: Vec<String>,
    #[prost(uint64, tag = "7")]
    pub(super) epoch: u64,
    /// Microseconds since 1970, UTC.
    #[prost(int64, tag = "8")]
    pub(super) issued_at_micros: i64,
    /// Microseconds since 1970, UTC.
    #[prost(int64, tag = "9")]
    pub(super) expires_at_micros: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
pub(super) enum Kind {
    Unspecified = 0,
    User = 1,
    ServiceAccount = 2,
}

impl Claims {
    /// The part that says who; audience and time are still to be set.
    pub(super) fn of(principal: &Principal) -> Result<Self, AssertionError> {
        let (kind, subject, tenant, session, epoch) = match principal {
            Principal::User(user) => (Kind::User, user.id, user.tenant, Some(user.session), user.epoch),
            Principal::ServiceAccount(account) => (Kind::ServiceAccount, account.id, account.tenant, None, account.epoch),
            other => return Err(AssertionError::Principal(other.clone())),
        };
        Ok(Self {
            kind: kind.into(),
            subject: subject.as_bytes().to_vec(),
            tenant: tenant.0.as_bytes().to_vec(),
            session: session.map(|session| session.as_bytes().to_vec()).unwrap_or_default(),
            roles: principal.roles().to_vec(),
            epoch,
            ..Self::default()
        })
    }

    /// What they say. Whoever signed them is trusted; that they make sense is checked all the same.
    pub(super) fn read(self) -> Result<super::Claims, AssertionError> {
        let (issued_at, expires_at) =
            (time(self.issued_at_micros, "issued_at_micros")?, time(self.expires_at_micros, "expires_at_micros")?);
        if expires_at <= issued_at || expires_at - issued_at > LIFE {
            return Err(AssertionError::Field("expires_at_micros"));
        }
        let (id, tenant) = (uuid(&self.subject, "subject")?, TenantId(uuid(&self.tenant, "tenant")?));
        let (roles, epoch) = (self.roles.into(), self.epoch);
        let principal = match Kind::try_from(self.kind) {
            Ok(Kind::User) => {
                let session = uuid(&self.session, "session")?;
                Principal::User(User { id, tenant, session, roles, epoch })
            }
            Ok(Kind::ServiceAccount) if self.session.is_empty() => {
                Principal::ServiceAccount(ServiceAccount { id, tenant, roles, epoch })
            }
            Ok(Kind::ServiceAccount) => return Err(AssertionError::Field("session")),
            Ok(Kind::Unspecified) | Err(_) => return Err(AssertionError::Field("kind")),
        };
        Ok(super::Claims { principal, issued_at, expires_at })
    }
}

fn uuid(bytes: &[u8], field: &'static str) -> Result<Uuid, AssertionError> {
    Uuid::from_slice(bytes).map_err(|_| AssertionError::Field(field))
}

fn time(micros: i64, field: &'static str) -> Result<DateTime<Utc>, AssertionError> {
    DateTime::from_timestamp_micros(micros).ok_or(AssertionError::Field(field))
}
