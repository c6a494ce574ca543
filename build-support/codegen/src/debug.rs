//! How messages print themselves: `[redacted]` stands for sensitive fields. Messages around them print
//! them through it, so a secret is safe at any depth.

use proc_macro2::TokenStream;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use quote::quote;

use crate::{generator::Generator, names, options};

impl Generator<'_> {
    /// The `Debug` of all messages.
    pub(crate) fn debug(&self) -> TokenStream {
        self.package.messages.iter().map(|message| self.debug_of(message)).collect()
    }

    /// True if the field holds a secret or personal data.
    pub(crate) fn is_sensitive(&self, field: &FieldDescriptor) -> bool {
        options::is_true(&self.package.pool, &field.options(), "weft.mesh.v1.sensitive")
    }

    fn debug_of(&self, message: &MessageDescriptor) -> TokenStream {
        let (path, name) = (self.message(message), message.name());
        let plain = message.fields().filter(|field| real_oneof(field).is_none());
        let fields = plain.map(|field| {
            let (label, value) = (field.name().to_owned(), self.printed(&field));
            quote!(.field(#label, #value))
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

    /// What stands for a field that is in no oneof. Enums print their names.
    fn printed(&self, field: &FieldDescriptor) -> TokenStream {
        let (runtime, member) = (&self.runtime, names::snake(field.name()));
        if self.is_sensitive(field) {
            return quote!(&::core::format_args!("[redacted]"));
        }
        let kind = match field.kind() {
            Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
            kind => kind,
        };
        let Kind::Enum(found) = kind else { return quote!(&self.#member) };
        let path = self.enumeration(&found);
        let name = quote!(#runtime::generated::EnumName::<#path>::of);
        if field.is_map() {
            let pairs = quote!(self.#member.iter().map(|(key, value)| (key, #name(*value))));
            quote!(&#pairs.collect::<::std::collections::BTreeMap<_, _>>())
        } else if field.is_list() {
            quote!(&self.#member.iter().copied().map(#name).collect::<::std::vec::Vec<_>>())
        } else if field.supports_presence() {
            quote!(&self.#member.map(#name))
        } else {
            quote!(&#name(self.#member))
        }
    }

    fn debug_of_oneof(&self, oneof: &OneofDescriptor) -> TokenStream {
        let (runtime, path) = (&self.runtime, self.oneof(oneof));
        let arms = oneof.fields().map(|field| {
            let (variant, label) = (names::camel(field.name()), field.name().to_owned());
            let (pattern, value) = match field.kind() {
                _ if self.is_sensitive(&field) => (quote!(_), quote!(&::core::format_args!("[redacted]"))),
                Kind::Enum(found) => {
                    let found = self.enumeration(&found);
                    (quote!(value), quote!(&#runtime::generated::EnumName::<#found>::of(*value)))
                }
                _ => (quote!(value), quote!(value)),
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
