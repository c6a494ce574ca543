//! The rules of text.

use proc_macro2::TokenStream;
use prost_reflect::{DynamicMessage, Value};
use quote::quote;

use super::{
    not_compiled, rule,
    value::{length_check, literal, said},
};

/// The one rule that every string is held to, whatever its contract says: SQLite keeps a NUL, PostgreSQL
/// refuses it, and a field that depends on the database is no contract.
pub(super) fn no_nul() -> TokenStream {
    rule(&quote!(!value.contains('\0')), "weft.no_nul", "must not contain NUL")
}

/// The checks of a string.
pub(super) fn checks(runtime: &TokenStream, rules: &DynamicMessage) -> Result<TokenStream, String> {
    rules.fields().map(|(field, value)| check(runtime, field.name(), value)).collect()
}

fn check(runtime: &TokenStream, name: &str, value: &Value) -> Result<TokenStream, String> {
    let full_name = format!("string.{name}");
    match (name, value) {
        ("len" | "min_len" | "max_len", Value::U64(limit)) => Ok(length_check("string", name, "len", *limit, "character")),
        ("len_bytes", Value::U64(limit)) => Ok(length_check("string", name, "len_bytes", *limit, "byte")),
        ("min_bytes" | "max_bytes", Value::U64(limit)) => Ok(length_check("string", name, "bytes", *limit, "byte")),
        ("pattern", Value::String(pattern)) => pattern_check(runtime, pattern),
        ("in" | "not_in", Value::List(values)) => {
            let literals = values.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            let listed: Vec<_> = values.iter().map(said).collect();
            let (holds, must) = match name {
                "in" => (quote!([#(#literals),*].contains(&value)), "must be one of"),
                _ => (quote!(![#(#literals),*].contains(&value)), "must be none of"),
            };
            Ok(rule(&holds, &full_name, &format!("{must} {}", listed.join(", "))))
        }
        (_, Value::String(other)) => {
            let (holds, must) = match name {
                "const" => (quote!(value == #other), "must be"),
                "prefix" => (quote!(value.starts_with(#other)), "must begin with"),
                "suffix" => (quote!(value.ends_with(#other)), "must end with"),
                "contains" => (quote!(value.contains(#other)), "must contain"),
                "not_contains" => (quote!(!value.contains(#other)), "must not contain"),
                _ => return Err(not_compiled(&full_name)),
            };
            Ok(rule(&holds, &full_name, &format!("{must} {other:?}")))
        }
        (_, Value::Bool(asked)) => {
            let check = form_check(runtime, name)?;
            Ok(if *asked { check } else { TokenStream::new() })
        }
        _ => Err(not_compiled(&full_name)),
    }
}

/// A form that is known by its name.
fn form_check(runtime: &TokenStream, name: &str) -> Result<TokenStream, String> {
    let (holds, description) = match name {
        "email" => (quote!(#runtime::validation::is_email(value)), "must be an email address"),
        "hostname" => (quote!(#runtime::validation::is_hostname(value)), "must be a host's name"),
        "uri" => (quote!(#runtime::validation::is_uri(value)), "must be an absolute URI"),
        "uuid" => (quote!(#runtime::validation::is_uuid(value)), "must be a UUID"),
        "ip" => (quote!(value.parse::<::std::net::IpAddr>().is_ok()), "must be an IP address"),
        "ipv4" => (quote!(value.parse::<::std::net::Ipv4Addr>().is_ok()), "must be an IPv4 address"),
        "ipv6" => (quote!(value.parse::<::std::net::Ipv6Addr>().is_ok()), "must be an IPv6 address"),
        _ => return Err(not_compiled(&format!("string.{name}"))),
    };
    Ok(rule(&holds, &format!("string.{name}"), description))
}

/// The pattern is compiled here as well, so that a bad one fails the build and never a request.
fn pattern_check(runtime: &TokenStream, pattern: &str) -> Result<TokenStream, String> {
    regex::Regex::new(pattern).map_err(|error| format!("its pattern is no regular expression: {error}"))?;
    let check = rule(&quote!(PATTERN.is_match(value)), "string.pattern", &format!("must match {pattern}"));
    Ok(quote! {
        static PATTERN: ::std::sync::LazyLock<#runtime::generated::regex::Regex> = ::std::sync::LazyLock::new(|| {
            #runtime::generated::regex::Regex::new(#pattern).expect("the pattern was compiled with the contract")
        });
        #check
    })
}
