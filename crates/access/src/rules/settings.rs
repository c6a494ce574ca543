//! What the configuration says of callers, beside the contracts.

use weft_call::MethodContract;

use super::contract::is_open;

/// What the configuration says of callers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerSettings {
    /// Callers beside those of the contracts. A pattern without a method adds what `calls` of a contract would; a
    /// method that names its `callers` is opened only by a pattern that names the method.
    pub callers: Vec<CallerPattern>,
    /// Who may not call, whatever else allows it.
    pub deny: Vec<CallerPattern>,
    /// What a refusal does.
    pub enforcement: Enforcement,
}

/// Calls by one caller, or by all, to a domain or to one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerPattern {
    /// The caller's logical name; none stands for every caller.
    pub caller: Option<String>,
    /// The domain that is called.
    pub domain: String,
    /// The method; none stands for all of the domain's.
    pub method: Option<String>,
}

/// What a refusal of a caller does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// It refuses the call.
    #[default]
    Enforce,
    /// It is recorded, and the call goes through. What the method demands of users still holds.
    AuditOnly,
}

impl CallerSettings {
    pub(super) fn adds(&self, method: &MethodContract, caller: &str) -> bool {
        self.callers.iter().any(|pattern| (pattern.method.is_some() || is_open(method)) && pattern.matches(method, caller))
    }

    pub(super) fn denies(&self, method: &MethodContract, caller: &str) -> bool {
        self.deny.iter().any(|pattern| pattern.matches(method, caller))
    }
}

impl CallerPattern {
    fn matches(&self, method: &MethodContract, caller: &str) -> bool {
        self.domain == method.domain
            && self.caller.as_ref().is_none_or(|named| named == caller)
            && self.method.as_ref().is_none_or(|named| named == method.name)
    }
}
