//! The rules of one value: numbers, flags, enums, bytes, times. Those of text stand in `text`.

use proc_macro2::TokenStream;
use prost_reflect::{DynamicMessage, Kind, Value};
use quote::quote;

use super::{Rules, bounds, is_text, is_well_known, not_compiled, rule, text};
use crate::generator::Generator;

/// What `buf.validate.FieldRules` calls the rules of a kind of value.
fn rules_name(kind: &Kind) -> &str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Enum(_) => "enum",
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => "timestamp",
            "google.protobuf.Duration" => "duration",
            other => other,
        },
    }
}

impl Generator<'_> {
    /// The checks of one value, on `value` and `violations`. They look at the rules of the type only.
    pub(super) fn checks_of_value(&self, kind: &Kind, rules: &Rules) -> Result<TokenStream, String> {
        let within = self.checks_within(kind);
        let Some((given, of_type)) = &rules.of_type else { return Ok(within) };
        let name = rules_name(kind);
        if given != name {
            return Err(if ["any", "field_mask"].contains(&given.as_str()) {
                not_compiled(given)
            } else {
                format!("`{given}` rules do not fit a value of type {name}")
            });
        }
        if let Some((predefined, _)) = of_type.extensions().next() {
            return Err(not_compiled(predefined.full_name()));
        }
        let checks = match kind {
            Kind::String => text::checks(&self.runtime, of_type),
            Kind::Bytes => bytes_checks(of_type),
            Kind::Bool => constant_checks(of_type, name),
            Kind::Enum(_) => self.enum_checks(kind, of_type),
            Kind::Message(_) => bounds::time_checks(of_type, name),
            _ => number_checks(of_type, name),
        }?;
        Ok(quote!(#within #checks))
    }

    /// The checks that a value brings along, whatever rules stand on it.
    pub(super) fn checks_within(&self, kind: &Kind) -> TokenStream {
        match kind {
            Kind::Message(message) if !is_well_known(message) && self.is_checked(message) => {
                quote!(value.validate(violations);)
            }
            kind if is_text(kind) => text::no_nul(),
            _ => TokenStream::new(),
        }
    }

    fn enum_checks(&self, kind: &Kind, rules: &DynamicMessage) -> Result<TokenStream, String> {
        let mut checks = TokenStream::new();
        for (field, value) in rules.fields() {
            match (field.name(), value, kind) {
                ("defined_only", Value::Bool(true), Kind::Enum(found)) => {
                    let path = self.enumeration(found);
                    let holds = quote!(<#path as ::core::convert::TryFrom<i32>>::try_from(value).is_ok());
                    checks.extend(rule(&holds, "enum.defined_only", "must be one of the enum's values"));
                }
                ("defined_only", ..) => {}
                (name, value, _) => checks.extend(common_check(name, value, "enum")?),
            }
        }
        Ok(checks)
    }
}

/// `const`, `in` and `not_in`, which all types share.
fn common_check(name: &str, value: &Value, of_type: &str) -> Result<TokenStream, String> {
    let full_name = format!("{of_type}.{name}");
    match (name, value) {
        ("const", value) => {
            let literal = literal(value)?;
            Ok(rule(&quote!(value == #literal), &full_name, &format!("must be {}", said(value))))
        }
        ("in" | "not_in", Value::List(values)) => {
            let literals = values.iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            let listed: Vec<_> = values.iter().map(said).collect();
            let (holds, must) = match name {
                "in" => (quote!([#(#literals),*].contains(&value)), "must be one of"),
                _ => (quote!(![#(#literals),*].contains(&value)), "must be none of"),
            };
            Ok(rule(&holds, &full_name, &format!("{must} {}", listed.join(", "))))
        }
        _ => Err(not_compiled(&full_name)),
    }
}

fn constant_checks(rules: &DynamicMessage, of_type: &str) -> Result<TokenStream, String> {
    rules.fields().map(|(field, value)| common_check(field.name(), value, of_type)).collect()
}

fn number_checks(rules: &DynamicMessage, of_type: &str) -> Result<TokenStream, String> {
    let mut checks = bounds::number_checks(rules, of_type)?;
    for (field, value) in rules.fields() {
        match (field.name(), value) {
            ("lt" | "lte" | "gt" | "gte", _) | ("finite", Value::Bool(false)) => {}
            ("finite", _) => {
                checks.extend(rule(&quote!(value.is_finite()), &format!("{of_type}.finite"), "must be a finite number"));
            }
            (name, value) => checks.extend(common_check(name, value, of_type)?),
        }
    }
    Ok(checks)
}

fn bytes_checks(rules: &DynamicMessage) -> Result<TokenStream, String> {
    let mut checks = TokenStream::new();
    for (field, value) in rules.fields() {
        checks.extend(match (field.name(), value) {
            ("len" | "min_len" | "max_len", Value::U64(limit)) => length_check("bytes", field.name(), "len", *limit, "byte"),
            (name, _) => return Err(not_compiled(&format!("bytes.{name}"))),
        });
    }
    Ok(checks)
}

/// `X`, `min_X` or `max_X` of the length of `value` in bytes or characters.
pub(super) fn length_check(of_type: &str, name: &str, suffix: &str, limit: u64, unit: &str) -> TokenStream {
    let length = if unit == "byte" { quote!(value.len()) } else { quote!(value.chars().count()) };
    let bound = proc_macro2::Literal::u64_suffixed(limit);
    let (holds, must) = match name.strip_suffix(suffix) {
        Some("min_") => (quote!(#length as u64 >= #bound), "must have at least"),
        Some("max_") => (quote!(#length as u64 <= #bound), "must have at most"),
        _ => (quote!(#length as u64 == #bound), "must have exactly"),
    };
    let plural = if limit == 1 { "" } else { "s" };
    rule(&holds, &format!("{of_type}.{name}"), &format!("{must} {limit} {unit}{plural}"))
}

/// A rule's value as Rust.
pub(super) fn literal(value: &Value) -> Result<TokenStream, String> {
    let number = |text: String| text.parse::<TokenStream>().map_err(|_| format!("{text} cannot be written in Rust"));
    match value {
        Value::Bool(value) => Ok(quote!(#value)),
        Value::I32(value) | Value::EnumNumber(value) => number(format!("{value}i32")),
        Value::I64(value) => number(format!("{value}i64")),
        Value::U32(value) => number(format!("{value}u32")),
        Value::U64(value) => number(format!("{value}u64")),
        Value::F32(value) if value.is_finite() => number(format!("{value:?}f32")),
        Value::F64(value) if value.is_finite() => number(format!("{value:?}f64")),
        Value::String(value) => Ok(quote!(#value)),
        other => Err(format!("a rule cannot compare with {other:?}")),
    }
}

/// A rule's value as people write it.
pub(super) fn said(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) | Value::EnumNumber(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::String(value) => format!("{value:?}"),
        other => format!("{other:?}"),
    }
}
