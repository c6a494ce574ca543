//! Examples out of schemas: values that hold to them. A schema for which none is found has none.

use crate::{
    json::{Json, Object},
    rules::LEAST_BYTES,
    schemas::{Schemas, Side},
};

/// How deeply an example goes.
const DEEPEST: usize = 8;

/// What a request may hold.
pub(crate) fn of_request(schemas: &Schemas<'_>, schema: &Object) -> Option<Json> {
    Example { schemas, side: Side::Request }.of(schema, "", DEEPEST)
}

/// What an answer may hold.
pub(crate) fn of_answer(schemas: &Schemas<'_>, schema: &Object) -> Option<Json> {
    Example { schemas, side: Side::Answer }.of(schema, "", DEEPEST)
}

struct Example<'s, 'd> {
    schemas: &'s Schemas<'d>,
    side: Side,
}

impl Example<'_, '_> {
    /// A value of a property of this name.
    fn of(&self, schema: &Object, name: &str, depth: usize) -> Option<Json> {
        let depth = depth.checked_sub(1)?;
        if let Some(reference) = schema.text("$ref") {
            return self.of(self.schemas.find(reference.rsplit('/').next()?)?, name, depth);
        }
        if let Some(value) = schema.get("const") {
            return Some(value.clone());
        }
        if let [first, ..] = schema.list("enum") {
            // The first name of an enum stands for "not said".
            return Some(schema.list("enum").get(1).filter(|_| is_unspecified(first)).unwrap_or(first).clone());
        }
        if let [first, ..] = schema.list("anyOf") {
            return self.of(first.as_object()?, name, depth);
        }
        match schema.text("type")? {
            "boolean" => Some(true.into()),
            "integer" => {
                Some(bound(schema, "minimum").unwrap_or(1).max(1).min(bound(schema, "maximum").unwrap_or(i64::MAX)).into())
            }
            "number" => Some(1.5.into()),
            "string" => text(schema, name).map(Json::from),
            "array" => {
                let item = self.of(schema.object("items")?, name, depth)?;
                Some(Json::List(vec![item]))
            }
            "object" => self.object(schema, depth).map(Json::from),
            _ => None,
        }
    }

    fn object(&self, schema: &Object, depth: usize) -> Option<Object> {
        let mut example = Object::new();
        let required: Vec<&str> = schema.list("required").iter().filter_map(Json::as_text).collect();
        let others = alternatives(schema);
        for (name, property) in schema.object("properties").into_iter().flat_map(Object::iter) {
            let property = property.as_object()?;
            let is_hidden = self.side == Side::Request && property.contains("readOnly");
            // What may be empty and else must be of some form mostly names something that must be there.
            let is_reference = property.contains("anyOf") && !required.contains(&name);
            if is_hidden || is_reference || others.contains(&name) {
                continue;
            }
            match self.of(property, name, depth) {
                Some(value) => example.set(name.to_owned(), value),
                None if required.contains(&name) => return None,
                None => {}
            }
        }
        Some(example)
    }
}

/// All fields of oneofs but the first of each.
fn alternatives(schema: &Object) -> Vec<&str> {
    let choices = schema.list("allOf").iter().filter_map(|choice| choice.as_object()).map(|choice| choice.list("oneOf"));
    let behind_first = choices.flat_map(|choices| choices.iter().skip(1)).filter_map(Json::as_object);
    behind_first.flat_map(|choice| choice.list("required")).filter_map(Json::as_text).collect()
}

fn is_unspecified(name: &Json) -> bool {
    name.as_text().is_some_and(|name| name.ends_with("_UNSPECIFIED"))
}

fn bound(schema: &Object, keyword: &str) -> Option<i64> {
    match schema.get(keyword)? {
        Json::Integer(bound) => Some(*bound),
        Json::Natural(bound) => i64::try_from(*bound).ok(),
        _ => None,
    }
}

/// A text that holds to its schema.
fn text(schema: &Object, name: &str) -> Option<String> {
    let known = match (schema.text("format"), name) {
        (Some("uuid"), _) => "0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50",
        (Some("email"), _) => "ada@example.com",
        (Some("date-time"), _) => "2026-01-02T03:04:05Z",
        (Some("duration-seconds"), _) => "1.5s",
        (Some("byte"), _) => "d2VmdA==",
        (Some("uri"), _) => "https://example.com/",
        (Some("hostname"), _) => "example.com",
        (Some("ip" | "ipv4"), _) => "192.0.2.1",
        (Some("ipv6"), _) => "2001:db8::1",
        (Some("int64" | "uint64"), _) => "1250",
        (Some("field-mask"), _) => return None,
        // The standard codes of AIP-143.
        (_, "currencyCode") => "EUR",
        (_, "languageCode") => "en",
        (_, "regionCode") => "IE",
        (_, "timeZone") => "Europe/Dublin",
        (_, "") => "text",
        (_, name) => name,
    };
    let least = bound(schema, "minLength").max(bound(schema, LEAST_BYTES)).unwrap_or(0);
    let least = usize::try_from(least).ok()?;
    let mut text = known.to_owned();
    while text.len() < least {
        text.push('x');
    }
    let fits = bound(schema, "maxLength").is_none_or(|most| i64::try_from(text.len()).is_ok_and(|length| length <= most));
    let matches = |pattern: &str| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&text));
    (fits && schema.text("pattern").is_none_or(matches)).then_some(text)
}
