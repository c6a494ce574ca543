//! Bounds: `lt`, `lte`, `gt`, `gte`, and the ranges that two of them make.

use proc_macro2::TokenStream;
use prost_reflect::{DynamicMessage, Value};
use quote::quote;

use super::{
    not_compiled, rule,
    value::{literal, said},
};

/// One bound of a range.
struct Bound {
    rule: &'static str,
    /// For comparing it with the other.
    position: Position,
    literal: TokenStream,
    said: String,
}

#[derive(PartialEq, PartialOrd)]
enum Position {
    Whole(i128),
    Real(f64),
}

/// The bounds of a number.
pub(super) fn number_checks(rules: &DynamicMessage, of_type: &str) -> Result<TokenStream, String> {
    let bound = |rule| match rules.has_field_by_name(rule).then(|| rules.get_field_by_name(rule)).flatten() {
        Some(value) => {
            let position = position(&value).ok_or_else(|| format!("a bound cannot be {}", said(&value)))?;
            Ok::<_, String>(Some(Bound { rule, position, literal: literal(&value)?, said: said(&value) }))
        }
        None => Ok(None),
    };
    Ok(range_check(either(bound("gt")?, bound("gte")?), either(bound("lt")?, bound("lte")?), of_type))
}

/// The bounds of a duration or a time, compared in nanoseconds.
pub(super) fn time_checks(rules: &DynamicMessage, of_type: &str) -> Result<TokenStream, String> {
    let known = ["gt", "gte", "lt", "lte"];
    if let Some((other, _)) = rules.fields().find(|(rule, _)| !known.contains(&rule.name())) {
        return Err(not_compiled(&format!("{of_type}.{}", other.name())));
    }
    let bound = |rule| {
        let value = rules.has_field_by_name(rule).then(|| rules.get_field_by_name(rule)).flatten()?;
        let message = value.as_message()?;
        let seconds = message.get_field_by_name("seconds")?.as_i64()?;
        let nanos = message.get_field_by_name("nanos")?.as_i32()?;
        let position = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let said = match of_type {
            "duration" => prost_types::Duration { seconds, nanos }.to_string(),
            _ => prost_types::Timestamp { seconds, nanos }.to_string(),
        };
        let literal = format!("{position}i128").parse().ok()?;
        Some(Bound { rule, position: Position::Whole(position), literal, said })
    };
    let check = range_check(either(bound("gt"), bound("gte")), either(bound("lt"), bound("lte")), of_type);
    if check.is_empty() {
        return Ok(check);
    }
    Ok(quote! {
        let value = i128::from(value.seconds) * 1_000_000_000 + i128::from(value.nanos);
        #check
    })
}

fn either(first: Option<Bound>, second: Option<Bound>) -> Option<Bound> {
    first.or(second)
}

fn position(value: &Value) -> Option<Position> {
    match value {
        Value::I32(value) => Some(Position::Whole(i128::from(*value))),
        Value::I64(value) => Some(Position::Whole(i128::from(*value))),
        Value::U32(value) => Some(Position::Whole(i128::from(*value))),
        Value::U64(value) => Some(Position::Whole(i128::from(*value))),
        Value::F32(value) => Some(Position::Real(f64::from(*value))),
        Value::F64(value) => Some(Position::Real(*value)),
        _ => None,
    }
}

impl Bound {
    fn holds(&self) -> TokenStream {
        let literal = &self.literal;
        match self.rule {
            "gt" => quote!(value > #literal),
            "gte" => quote!(value >= #literal),
            "lt" => quote!(value < #literal),
            _ => quote!(value <= #literal),
        }
    }

    fn described(&self) -> String {
        let must = match self.rule {
            "gt" => "greater than",
            "gte" => "at least",
            "lt" => "less than",
            _ => "at most",
        };
        format!("{must} {}", self.said)
    }
}

/// One bound, a range between two, or the two sides of a gap: a lower bound above the upper one.
fn range_check(lower: Option<Bound>, upper: Option<Bound>, of_type: &str) -> TokenStream {
    match (lower, upper) {
        (None, None) => TokenStream::new(),
        (Some(bound), None) | (None, Some(bound)) => {
            rule(&bound.holds(), &format!("{of_type}.{}", bound.rule), &format!("must be {}", bound.described()))
        }
        (Some(lower), Some(upper)) => {
            let (above, below) = (lower.holds(), upper.holds());
            let name = format!("{of_type}.{}_{}", lower.rule, upper.rule);
            let (lowest, highest) = (lower.described(), upper.described());
            if upper.position < lower.position {
                let description = format!("must be {lowest} or {highest}");
                rule(&quote!(#above || #below), &format!("{name}_exclusive"), &description)
            } else {
                rule(&quote!(#above && #below), &name, &format!("must be {lowest} and {highest}"))
            }
        }
    }
}
