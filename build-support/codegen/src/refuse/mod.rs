//! What a contract may not say, or leave unsaid.
//!
//! Every rule looks at the whole contract and answers with sentences, so that all mistakes are reported
//! at once.

mod access;
mod budget;
mod comment;
mod event;
mod reason;
mod route;
mod shape;
mod soft_delete;
mod template;

use std::collections::BTreeSet;

use crate::{Refusal, package::Package};

/// All that is wrong with a contract; `uses` are the packages that have a crate.
pub(crate) fn refusals(package: &Package, uses: &BTreeSet<String>) -> Vec<Refusal> {
    let mut refusals = shape::refusals(package, uses);
    refusals.extend(comment::refusals(package));
    refusals.extend(event::refusals(package));
    refusals.extend(access::refusals(package));
    refusals.extend(budget::refusals(package, uses));
    refusals.extend(route::refusals(package));
    refusals.extend(reason::refusals(package));
    refusals.extend(soft_delete::refusals(package));
    refusals
}
