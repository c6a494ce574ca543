//! What was found.

use serde::Serialize;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Good,
    Warning,
    Bad,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "BAD",
        }
    }
}

/// What was found at one place.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What was looked at.
    pub(super) what: String,
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

/// What was found everywhere, in the order of looking.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
}

impl Findings {
    pub(super) fn good(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.all.push(Finding { verdict: Verdict::Good, what: what.into(), found: found.into(), remedy: None });
    }

    pub(super) fn warning(&mut self, what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Verdict::Warning, what.into(), found.into(), remedy.into());
    }

    pub(super) fn bad(&mut self, what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(Verdict::Bad, what.into(), found.into(), remedy.into());
    }

    fn add(&mut self, verdict: Verdict, what: String, found: String, remedy: String) {
        self.all.push(Finding { verdict, what, found, remedy: Some(remedy) });
    }
}
