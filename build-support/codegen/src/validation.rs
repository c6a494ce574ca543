//! Field rules.
use proc_macro2::TokenStream;
use quote::quote;

use crate::generator::Generator;

impl Generator<'_> {
    /// The checks of all messages.
    pub(crate) fn validation(&self) -> TokenStream {
        let runtime = &self.runtime;
        let impls = self.package.messages.iter().map(|message| {
            let path = self.message(message);
            quote! {
                impl #runtime::Validate for #path {
                    fn validate(&self, _: &mut #runtime::validation::Violations) {}
                }
            }
        });
        impls.collect()
    }
}
