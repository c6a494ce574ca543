//! Who a caller is and what it may do: user tokens, internal assertions, roles, caller rules.

mod assertion;
mod intentions;
mod limit_factors;
mod rate_limit;
mod roles;
mod rules;
mod user_token;

pub use assertion::{ASSERTION_METADATA, AssertionError, AssertionSigner, AssertionVerifier, Claims};
pub use intentions::ConsulIntentions;
pub use limit_factors::LimitFactors;
pub use rate_limit::{Counted, RateLimits, subscriber};
pub use roles::{ContractRoles, OWNER, Roles};
pub use rules::{
    CallerPattern, CallerRefusal, CallerRules, CallerSettings, CallerVerdict, EDGE, Enforcement, Intentions, Sources,
};
pub use user_token::{KeyError, KeySet, UserToken, UserTokenError};
