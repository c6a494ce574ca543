//! The resources whose deletion can be undone.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{generator::Generator, options::SoftDelete};

/// The least that a deleted resource is kept.
pub(crate) const KEEP_FLOOR: Duration = Duration::from_hours(1);

impl SoftDelete {
    /// How long a deleted resource is kept; `None` for less than the floor, or no whole seconds.
    pub(crate) fn keep(&self) -> Option<Duration> {
        let keep = self.keep.as_ref().filter(|keep| keep.nanos == 0)?;
        let keep = Duration::from_secs(keep.seconds.try_into().ok()?);
        (keep >= KEEP_FLOOR).then_some(keep)
    }
}

impl Generator<'_> {
    /// What makes the messages resources that are deleted softly.
    pub(crate) fn soft_deletes(&self) -> TokenStream {
        let runtime = &self.runtime;
        let declared = self.package.soft_deletes.iter().map(|(message, policy)| {
            let (path, keep) = (self.message(message), policy.keep().unwrap_or(KEEP_FLOOR).as_secs());
            quote! {
                impl #runtime::SoftDelete for #path {
                    const KEEP: ::core::time::Duration = ::core::time::Duration::from_secs(#keep);
                }
            }
        });
        declared.collect()
    }
}
