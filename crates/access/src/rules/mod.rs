//! Who may call a method: decided for each request, in memory, from rules that may change at any time.
//!
//! # Problem
//!
//! The contracts say who calls whom, but they are compiled in. An operator must be able to shut a caller out now, with
//! no restart, and without a question to anybody on the way of a call.
//!
//! # Rule
//!
//! Two questions are asked. May the calling workload call the method at all? And does the principal have the authority
//! that the method demands? Both must hold; `any_of` lets a caller that the contract names, or the authority, suffice.
//! What nothing allows is refused.
//!
//! The first question is answered by three rules, which must all say yes:
//!
//! - the contract: the method names the workload in `callers`, or the workload's contract declares the service in its
//!   `calls`, or it is the edge and the method serves users. Configuration may add callers ([`CallerSettings::callers`]);
//!   an added caller never counts as one that the contract names, so it needs the authority that the method demands;
//! - the configuration: no pair of [`CallerSettings::deny`] stands for the two;
//! - the [`Intentions`] of the domain, where a registry keeps them.
//!
//! The second question is the users' and is never relaxed: neither by configuration nor by [`Enforcement::AuditOnly`],
//! which lets a call through that the first one would refuse, and says so.
//!
//! # Recovery
//!
//! A change takes the place of the rules as a whole; calls that are being decided see the old or the new ones.
//! [`CallerRules::changes`] tells those who hold something open for a caller to ask again.

mod authority;
mod contract;
mod intentions;
mod notices;
mod settings;

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use weft_call::{Contract, Error, MeshReason, MethodContract, Permissions, Principal, Result};

pub use intentions::{Intentions, Sources};
pub use settings::{CallerPattern, CallerSettings, Enforcement};

use contract::DeclaredCalls;
use notices::Notices;

/// The edge's logical name. It is a caller like any other: it may call the methods that serve users, and no others
/// unless they name it in `callers`.
pub const EDGE: &str = "edge";

/// Which workload may call which method, at this moment.
#[derive(Debug)]
pub struct CallerRules {
    declared: DeclaredCalls,
    table: ArcSwap<Table>,
    changed: watch::Sender<()>,
    notices: Notices,
}

/// What changes while a process runs.
#[derive(Clone, Debug, Default)]
struct Table {
    settings: CallerSettings,
    /// By the domain that is called.
    intentions: BTreeMap<Box<str>, Intentions>,
}

/// The rule that keeps a workload from calling a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerRefusal {
    /// Neither contract nor configuration know it as a caller.
    Contract,
    /// The configuration denies it.
    Configuration,
    /// An intention of the registry denies it, or none allows it and the registry denies by default.
    Intention,
}

/// What holds for a workload that calls a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerVerdict {
    /// It may.
    Allowed,
    /// It may not.
    Refused(CallerRefusal),
    /// It may not, but refusals are only recorded for now.
    Unenforced(CallerRefusal),
}

// === impl CallerRules ===

impl Default for CallerRules {
    /// Nobody may call anything but the edge what serves users.
    fn default() -> Self {
        Self::of([])
    }
}

impl CallerRules {
    /// The rules of these contracts: all that the binary knows, also of domains in other processes.
    pub fn of<'a>(contracts: impl IntoIterator<Item = &'a Contract>) -> Self {
        Self {
            declared: DeclaredCalls::of(contracts),
            table: ArcSwap::default(),
            changed: watch::Sender::new(()),
            notices: Notices::default(),
        }
    }

    /// The same with what the configuration says.
    #[must_use]
    pub fn with(self, settings: &CallerSettings) -> Self {
        self.set_settings(settings);
        self
    }

    /// Takes what the configuration says from now on; false if it is what holds already.
    pub fn set_settings(&self, settings: &CallerSettings) -> bool {
        let is_new = self.table.load().settings != *settings;
        if is_new {
            self.change(|table| table.settings = settings.clone());
        }
        is_new
    }

    /// Takes the intentions for calls to `domain` from now on.
    pub fn set_intentions(&self, domain: &str, intentions: &Intentions) {
        self.change(|table| {
            table.intentions.insert(domain.into(), intentions.clone());
        });
    }

    fn change(&self, change: impl Fn(&mut Table)) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            change(&mut table);
            table
        });
        self.changed.send_replace(());
    }

    /// Tells when the rules have changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Whether `peer` may call `method`, whoever it calls for.
    pub fn verdict(&self, method: &MethodContract, peer: &str) -> CallerVerdict {
        let table = self.table.load();
        match (self.refusal(&table, method, peer), table.settings.enforcement) {
            (None, _) => CallerVerdict::Allowed,
            (Some(refusal), Enforcement::Enforce) => CallerVerdict::Refused(refusal),
            (Some(refusal), Enforcement::AuditOnly) => CallerVerdict::Unenforced(refusal),
        }
    }

    /// Whether `peer` may call one of these methods, or is let through.
    pub fn admits_to_any<'a>(&self, methods: impl IntoIterator<Item = &'a MethodContract>, peer: &str) -> bool {
        methods.into_iter().any(|method| !matches!(self.verdict(method, peer), CallerVerdict::Refused(_)))
    }

    fn refusal(&self, table: &Table, method: &MethodContract, peer: &str) -> Option<CallerRefusal> {
        if !self.declared.knows(method, peer) && !table.settings.adds(method, peer) {
            return Some(CallerRefusal::Contract);
        }
        if table.settings.denies(method, peer) {
            return Some(CallerRefusal::Configuration);
        }
        let intentions = table.intentions.get(method.domain);
        intentions.is_some_and(|intentions| !intentions.allow(peer)).then_some(CallerRefusal::Intention)
    }
}

// === impl CallerVerdict ===

impl CallerVerdict {
    /// Refuses the call, if the caller may not make it.
    pub fn check(self, method: &MethodContract, peer: &str) -> Result<()> {
        match self {
            Self::Refused(refusal) => Err(refusal.error(method, peer)),
            Self::Allowed | Self::Unenforced(_) => Ok(()),
        }
    }

    /// Refuses the call, if the principal lacks the authority that the method demands. A caller whose name stands for
    /// authority (`any_of`) needs none, unless it is let through only because nothing is enforced.
    pub fn demand(self, method: &MethodContract, peer: &str, principal: &Principal, permissions: &Permissions) -> Result<()> {
        let access = &method.access;
        if self == Self::Allowed && access.any_of && access.callers.contains(&peer) {
            return Ok(());
        }
        authority::demand(method, principal, permissions)
    }
}

// === impl CallerRefusal ===

impl CallerRefusal {
    /// A word for labels and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Configuration => "configuration",
            Self::Intention => "intention",
        }
    }

    /// What the caller is told.
    pub fn error(self, method: &MethodContract, peer: &str) -> Error {
        let why = match self {
            Self::Contract => "",
            Self::Configuration => ": mesh.deny says so",
            Self::Intention => ": an intention denies it, or none allows it",
        };
        Error::new(MeshReason::CallerNotAllowed, format!("{peer} may not call {}{why}", method.path))
            .with_metadata("caller", peer)
            .with_metadata("rule", self.name())
    }
}

#[cfg(test)]
mod tests;
