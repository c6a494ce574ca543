//! The reasons of a contract as an enum that programs match on.

use heck::ToShoutySnakeCase;
use proc_macro2::{Ident, TokenStream};
use prost_reflect::{EnumDescriptor, EnumValueDescriptor};
use quote::quote;

use crate::{
    generator::{Generator, doc},
    names,
    package::code_of,
};

/// A reason's name as it travels: without its enum's.
pub(crate) fn reason_name(value: &EnumValueDescriptor) -> String {
    let prefix = value.parent_enum().name().to_shouty_snake_case() + "_";
    value.name().strip_prefix(&prefix).unwrap_or(value.name()).to_owned()
}

/// The variant of `weft_call::Code` with a number. Others were refused.
fn code_variant(number: i32) -> Ident {
    names::camel(code_name(number))
}

fn code_name(number: i32) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    usize::try_from(number).ok().and_then(|index| NAMES.get(index)).copied().unwrap_or("UNKNOWN")
}

impl Generator<'_> {
    fn code(&self, value: &EnumValueDescriptor) -> TokenStream {
        let (runtime, variant) = (&self.runtime, code_variant(code_of(&self.package.pool, value).unwrap_or_default()));
        quote!(#runtime::Code::#variant)
    }

    /// The enum of a contract's reasons. The zero that protobuf asks for is left out: an error has a
    /// reason or it has none.
    pub(crate) fn reasons(&self, reasons: &EnumDescriptor) -> TokenStream {
        let (runtime, package, name) = (&self.runtime, &self.package.name, names::camel(reasons.name()));
        let about = doc(self.package.comment(&reasons.parent_file(), reasons.path()));
        let values: Vec<_> = reasons.values().filter(|value| value.number() != 0).collect();
        let variants: Vec<_> = values.iter().map(|value| names::camel(&reason_name(value))).collect();
        let docs = values.iter().map(|value| doc(self.package.comment(&value.parent_file(), value.path())));
        let names: Vec<_> = values.iter().map(reason_name).collect();
        let codes = values.iter().map(|value| self.code(value));
        quote! {
            #about
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum #name { #(#docs #variants,)* }

            impl #name {
                /// Every reason, in the order of the contract.
                pub const ALL: &'static [Self] = &[#(Self::#variants),*];
            }

            impl #runtime::Reason for #name {
                const DOMAIN: &'static str = #package;
                fn name(self) -> &'static str {
                    match self { #(Self::#variants => #names,)* }
                }
                fn code(self) -> #runtime::Code {
                    match self { #(Self::#variants => #codes,)* }
                }
                fn from_name(name: &str) -> ::core::option::Option<Self> {
                    match name {
                        #(#names => ::core::option::Option::Some(Self::#variants),)*
                        _ => ::core::option::Option::None,
                    }
                }
            }
        }
    }

    /// The contract's table of reasons.
    pub(crate) fn reason_table(&self) -> TokenStream {
        let runtime = &self.runtime;
        let values = self.package.reasons.iter().flat_map(EnumDescriptor::values).filter(|value| value.number() != 0);
        let rows = values.map(|value| {
            let (name, code) = (reason_name(&value), self.code(&value));
            let about = self.package.comment(&value.parent_file(), value.path()).replace('\n', " ");
            quote!(#runtime::ReasonContract { name: #name, code: #code, description: #about })
        });
        quote!(&[#(#rows),*])
    }
}
