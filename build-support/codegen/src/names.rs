//! How protobuf names are said in Rust, exactly as prost says them.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span, TokenStream};
use prost_reflect::{EnumDescriptor, MessageDescriptor, OneofDescriptor};
use quote::quote;

use crate::generator::Generator;

/// A name that may be a keyword.
fn ident(name: &str) -> Ident {
    match name {
        "_" | "super" | "self" | "Self" | "extern" | "crate" => Ident::new(&format!("{name}_"), Span::call_site()),
        _ if name.starts_with(|first: char| first.is_numeric()) => Ident::new(&format!("_{name}"), Span::call_site()),
        // `gen` is a keyword since edition 2024 and to syn it is none.
        _ if name == "gen" || syn::parse_str::<Ident>(name).is_err() => Ident::new_raw(name, Span::call_site()),
        _ => Ident::new(name, Span::call_site()),
    }
}

/// A field's, method's or module's name.
pub(crate) fn snake(name: &str) -> Ident {
    ident(&name.to_snake_case())
}

/// A message's, enum's or variant's name.
pub(crate) fn camel(name: &str) -> Ident {
    ident(&name.to_upper_camel_case())
}

/// The words of a dotted path as Rust modules, the last as a type.
fn path(words: &str) -> TokenStream {
    let (modules, name) = words.rsplit_once('.').map_or((None, words), |(modules, name)| (Some(modules), name));
    let modules = modules.into_iter().flat_map(|modules| modules.split('.')).map(snake);
    let name = camel(name);
    quote!(#(#modules::)* #name)
}

impl Generator<'_> {
    /// The Rust type of a message, seen from the root of the generated code.
    pub(crate) fn message(&self, message: &MessageDescriptor) -> TokenStream {
        if message.full_name() == "google.protobuf.Empty" {
            return quote!(());
        }
        self.type_path(message.package_name(), message.full_name())
    }

    /// The Rust type of an enum.
    pub(crate) fn enumeration(&self, enumeration: &EnumDescriptor) -> TokenStream {
        self.type_path(enumeration.package_name(), enumeration.full_name())
    }

    fn type_path(&self, package: &str, full_name: &str) -> TokenStream {
        let words = full_name.strip_prefix(package).map_or(full_name, |name| name.trim_start_matches('.'));
        let (path, runtime) = (path(words), &self.runtime);
        match self.uses.get(package) {
            _ if package == self.package.name => path,
            _ if package == "google.protobuf" => quote!(#runtime::generated::prost_types::#path),
            Some(used) => quote!(#used::#path),
            // Refused before anything is generated.
            None => path,
        }
    }

    /// The Rust type of a oneof of a message of this package.
    pub(crate) fn oneof(&self, oneof: &OneofDescriptor) -> TokenStream {
        let message = oneof.parent_message();
        let name = oneof.name().to_upper_camel_case();
        let mut nested = message.child_messages().map(|nested| nested.name().to_upper_camel_case());
        let mut enums = message.child_enums().map(|nested| nested.name().to_upper_camel_case());
        let taken = nested.any(|other| other == name) || enums.any(|other| other == name);
        let name = ident(&if taken { format!("{name}OneOf") } else { name });
        let words = message.full_name().strip_prefix(&self.package.name).unwrap_or_default().trim_start_matches('.');
        let modules = words.split('.').map(snake);
        quote!(#(#modules::)* #name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_are_said_as_prost_says_them() {
        assert_eq!(snake("CreateOrder"), "create_order");
        assert_eq!(snake("type").to_string(), "r#type");
        assert_eq!(snake("gen").to_string(), "r#gen");
        assert_eq!(snake("self"), "self_");
        assert_eq!(camel("XMLThing"), "XmlThing");
        assert_eq!(path("Order.Line.kind").to_string(), "order :: line :: Kind");
    }
}
