//! What a failed call says to its caller, and what it keeps for the log.

use std::{borrow::Cow, collections::BTreeMap, error::Error as StdError, fmt, time::Duration};

use prost_types::Any;

use crate::{Code, MeshReason, Reason};

/// A failed call. Domains raise their own `thiserror` enums and turn them into this with a reason
/// of their contract; it becomes `google.rpc.Status` in [`crate::status`] and nowhere else.
///
/// The source is for the log: it never leaves the process.
pub struct Error(Box<Parts>);

struct Parts {
    code: Code,
    message: String,
    reason: Option<(Cow<'static, str>, Cow<'static, str>)>,
    metadata: BTreeMap<String, String>,
    violations: Vec<FieldViolation>,
    retry_after: Option<Duration>,
    /// What a peer said; an error of this process has the page of its reason.
    help: Option<String>,
    details: Vec<Any>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A field that breaks a rule (`google.rpc.BadRequest.FieldViolation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// The path of the field as the contract names it: `items[2].quantity`.
    pub field: String,
    /// What it must be, without the value that it was.
    pub description: String,
    /// The rule, in the words of `buf.validate`: `int64.gt`.
    pub rule: String,
}

impl Error {
    /// An error with a reason of a contract. The message is for the caller's developers.
    pub fn new<R: Reason>(reason: R, message: impl Into<String>) -> Self {
        let mut error = Self::without_reason(reason.code(), message);
        error.0.reason = Some((Cow::Borrowed(R::DOMAIN), Cow::Borrowed(reason.name())));
        error
    }

    /// An error that a foreign peer gave no reason for.
    pub fn without_reason(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            message: message.into(),
            reason: None,
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
            help: None,
            details: Vec::new(),
            source: None,
        }))
    }

    /// A broken invariant: the caller learns nothing of the cause, the log learns all.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(MeshReason::Internal, "internal error").with_source(source)
    }

    /// All fields of a request that break a rule.
    pub fn invalid(violations: Vec<FieldViolation>) -> Self {
        let names: Vec<_> = violations.iter().take(3).map(|violation| violation.field.as_str()).collect();
        let more = if violations.len() > names.len() { ", ..." } else { "" };
        let mut error = Self::new(MeshReason::ValidationFailed, format!("invalid request: {}{more}", names.join(", ")));
        error.0.violations = violations;
        error
    }

    /// One field that breaks a rule which only the handler can check.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid(vec![FieldViolation { field: field.into(), description: description.into(), rule: String::new() }])
    }

    /// Names a field that the error is about.
    #[must_use]
    pub fn with_violation(mut self, violation: FieldViolation) -> Self {
        self.0.violations.push(violation);
        self
    }

    /// Adds a machine-readable fact to `ErrorInfo.metadata`.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.insert(key.into(), value.into());
        self
    }

    /// Says when the caller may come again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn with_detail(mut self, detail: Any) -> Self {
        self.0.details.push(detail);
        self
    }

    pub(crate) fn with_help(mut self, url: String) -> Self {
        self.0.help = Some(url);
        self
    }

    pub(crate) fn with_foreign_reason(mut self, domain: String, name: String) -> Self {
        self.0.reason = Some((Cow::Owned(domain), Cow::Owned(name)));
        self
    }

    /// The status code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message for the caller's developers.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The reason, if it is one of `R`'s.
    pub fn reason<R: Reason>(&self) -> Option<R> {
        let (domain, name) = self.0.reason.as_ref()?;
        if domain == R::DOMAIN { R::from_name(name) } else { None }
    }

    /// The reason's name, whatever contract it is from.
    pub fn reason_name(&self) -> Option<&str> {
        self.0.reason.as_ref().map(|(_, name)| name.as_ref())
    }

    /// The package whose contract lists the reason.
    pub fn reason_domain(&self) -> Option<&str> {
        self.0.reason.as_ref().map(|(domain, _)| domain.as_ref())
    }

    /// Facts for programs (`ErrorInfo.metadata`).
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// The fields that break rules.
    pub fn violations(&self) -> &[FieldViolation] {
        &self.0.violations
    }

    /// When the caller may come again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Where there is more to read about it: what a peer said, else the page that the edge serves for the reason of a contract,
    /// as a reference relative to the edge (RFC 3986 section 4.2). An error without a reason has none, and so has a foreign
    /// peer's that named none.
    pub fn help(&self) -> Option<Cow<'_, str>> {
        match (&self.0.help, &self.0.reason) {
            (Some(url), _) => Some(Cow::Borrowed(url)),
            // Only a contract of this process lends its names.
            (None, Some((Cow::Borrowed(domain), Cow::Borrowed(name)))) => Some(Cow::Owned(help_path(domain, name))),
            (None, _) => None,
        }
    }

    /// Details of types that weft does not know, as they came.
    pub fn details(&self) -> &[Any] {
        &self.0.details
    }
}

/// The path at the edge of the page about a reason.
pub fn help_path(domain: &str, reason: &str) -> String {
    format!("/docs/errors/{domain}/{reason}")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.reason {
            Some((_, reason)) => write!(f, "{} ({reason}): {}", self.0.code, self.0.message),
            None => write!(f, "{}: {}", self.0.code, self.0.message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("code", &self.0.code).field("reason", &self.0.reason).field("message", &self.0.message);
        if !self.0.violations.is_empty() {
            debug.field("violations", &self.0.violations);
        }
        debug.field("source", &self.0.source).finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
