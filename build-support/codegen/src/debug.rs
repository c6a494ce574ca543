//! `Debug` of messages with sensitive fields: it prints `[redacted]` for them. Messages around them
//! print them through it, so a secret is safe at any depth.

use proc_macro2::TokenStream;
use prost_reflect::{FieldDescriptor, MessageDescriptor, OneofDescriptor};
use quote::quote;

use crate::{generator::Generator, names, options};

impl Generator<'_> {
    /// True if the field holds a secret or personal data.
    pub(crate) fn is_sensitive(&self, field: &FieldDescriptor) -> bool {
        options::is_true(&self.package.pool, &field.options(), "weft.mesh.v1.sensitive")
    }

    /// The `Debug` that prost was told not to generate.
    pub(crate) fn redacted_debug(&self) -> TokenStream {
        let messages = self.package.messages.iter().filter(|message| self.is_redacted(message));
        messages.map(|message| self.debug_of(message)).collect()
    }

    fn debug_of(&self, message: &MessageDescriptor) -> TokenStream {
        let (path, name) = (self.message(message), message.name());
        let plain = message.fields().filter(|field| real_oneof(field).is_none());
        let fields = plain.map(|field| {
            let (label, member) = (field.name().to_owned(), names::snake(field.name()));
            if self.is_sensitive(&field) {
                quote!(.field(#label, &::core::format_args!("[redacted]")))
            } else {
                quote!(.field(#label, &self.#member))
            }
        });
        let oneofs: Vec<_> = message.oneofs().filter(|oneof| !oneof.is_synthetic()).collect();
        let members = oneofs.iter().map(|oneof| {
            let (label, member) = (oneof.name(), names::snake(oneof.name()));
            quote!(.field(#label, &self.#member))
        });
        let enums = oneofs.iter().map(|oneof| self.debug_of_oneof(oneof));
        quote! {
            impl ::core::fmt::Debug for #path {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.debug_struct(#name) #(#fields)* #(#members)* .finish()
                }
            }
            #(#enums)*
        }
    }

    fn debug_of_oneof(&self, oneof: &OneofDescriptor) -> TokenStream {
        let path = self.oneof(oneof);
        let arms = oneof.fields().map(|field| {
            let (variant, label) = (names::camel(field.name()), field.name().to_owned());
            let (pattern, value) = if self.is_sensitive(&field) {
                (quote!(_), quote!(&::core::format_args!("[redacted]")))
            } else {
                (quote!(value), quote!(value))
            };
            quote!(Self::#variant(#pattern) => f.debug_tuple(#label).field(#value).finish())
        });
        quote! {
            impl ::core::fmt::Debug for #path {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self { #(#arms,)* }
                }
            }
        }
    }
}

/// The oneof that a field is written in; fields marked `optional` are in none.
pub(crate) fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}
