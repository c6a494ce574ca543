//! On whose account a call is made.

use std::sync::Arc;

use uuid::Uuid;

use crate::TenantId;

/// On whose account a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody known: a public call.
    Anonymous,
    /// A person who logged in.
    User(User),
    /// A program with credentials of its own.
    ServiceAccount(ServiceAccount),
    /// A domain on its own account, by its logical name: `orders`.
    Workload(Arc<str>),
    /// A job, event consumer or resumed saga of a domain.
    Job {
        /// The domain whose job it is.
        domain: &'static str,
        /// The job's name.
        name: &'static str,
    },
}

/// A person who logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Who.
    pub id: Uuid,
    /// Where: the tenant that the session is in.
    pub tenant: TenantId,
    /// The session that the credentials belong to.
    pub session: Uuid,
    /// The roles that the person holds in the tenant.
    pub roles: Arc<[String]>,
    /// Credentials issued under an older epoch than the current one are revoked.
    pub epoch: u64,
}

/// A program with credentials of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Which.
    pub id: Uuid,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// The roles that it holds.
    pub roles: Arc<[String]>,
    /// Credentials issued under an older epoch than the current one are revoked.
    pub epoch: u64,
}

impl Principal {
    /// The tenant that the principal belongs to, if it belongs to one.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::User(user) => Some(user.tenant),
            Self::ServiceAccount(account) => Some(account.tenant),
            Self::Anonymous | Self::Workload(_) | Self::Job { .. } => None,
        }
    }

    /// The roles that the principal holds.
    pub fn roles(&self) -> &[String] {
        match self {
            Self::User(user) => &user.roles,
            Self::ServiceAccount(account) => &account.roles,
            Self::Anonymous | Self::Workload(_) | Self::Job { .. } => &[],
        }
    }
}

/// As it stands in logs, audit records and idempotency records: `user:0192…`.
impl std::fmt::Display for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(user) => write!(f, "user:{}", user.id),
            Self::ServiceAccount(account) => write!(f, "service-account:{}", account.id),
            Self::Workload(name) => write!(f, "workload:{name}"),
            Self::Job { domain, name } => write!(f, "job:{domain}/{name}"),
        }
    }
}
