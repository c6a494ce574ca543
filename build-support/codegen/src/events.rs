//! The messages that are published as events.

use proc_macro2::TokenStream;
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::{generator::Generator, names, options::Event};

impl Generator<'_> {
    /// The contract's table of events.
    pub(crate) fn event_table(&self) -> TokenStream {
        let rows = self.package.events.iter().map(|(message, event)| self.event_row(message, event));
        quote!(&[#(#rows),*])
    }

    /// What makes the messages events.
    pub(crate) fn events(&self) -> TokenStream {
        let runtime = &self.runtime;
        let events = self.package.events.iter().map(|(message, event)| {
            let (path, row, key) = (self.message(message), self.event_row(message, event), names::snake(&event.key));
            quote! {
                impl #runtime::Event for #path {
                    const EVENT: &'static #runtime::EventContract = &#row;
                    fn key(&self) -> &str {
                        &self.#key
                    }
                }
            }
        });
        events.collect()
    }

    fn event_row(&self, message: &MessageDescriptor, Event { topic, key, permission }: &Event) -> TokenStream {
        let (runtime, domain, message) = (&self.runtime, &self.package.domain, message.full_name());
        let permission = if permission.is_empty() { quote!(None) } else { quote!(Some(#permission)) };
        quote!(#runtime::EventContract { topic: #topic, domain: #domain, message: #message, key: #key, permission: #permission })
    }
}
