//! JSON Schemas of messages: the JSON that requests may hold, and the JSON that answers do.
//!
//! The two differ: a request is held to the contract's rules and may hold no field that there is not; an answer leaves
//! out what is not set, and may one day hold more. So a message that goes both ways has two schemas, `X` for answers and
//! `X-Input` for requests (no message can have a hyphen in its name).

use std::collections::HashSet;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::{
    described::{Behavior, Described},
    json::{Json, Object},
    rules::{Rules, is_written_as_text},
};

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// To the server.
    Request,
    /// From the server.
    Answer,
}

/// Texts of integers of 64 bits that fit in them.
const INT64: &str = "^(-?(0|[1-9][0-9]{0,17}|[1-8][0-9]{18}|9[01][0-9]{17}|92[01][0-9]{16}|922[0-2][0-9]{15}|9223[0-2][0-9]{14}|\
                     92233[0-6][0-9]{13}|922337[01][0-9]{12}|92233720[0-2][0-9]{10}|922337203[0-5][0-9]{9}|9223372036[0-7][0-9]{8}|\
                     92233720368[0-4][0-9]{7}|922337203685[0-3][0-9]{6}|9223372036854[0-6][0-9]{5}|92233720368547[0-6][0-9]{4}|\
                     922337203685477[0-4][0-9]{3}|9223372036854775[0-7][0-9]{2}|922337203685477580[0-7])|-9223372036854775808)$";
/// Texts of integers of 64 bits without a sign that fit in them.
const UINT64: &str = "^(0|[1-9][0-9]{0,18}|1[0-7][0-9]{18}|18[0-3][0-9]{17}|184[0-3][0-9]{16}|1844[0-5][0-9]{15}|18446[0-6][0-9]{14}|\
                      184467[0-3][0-9]{13}|1844674[0-3][0-9]{12}|184467440[0-6][0-9]{10}|1844674407[0-2][0-9]{9}|\
                      18446744073[0-6][0-9]{8}|1844674407370[0-8][0-9]{6}|18446744073709[0-4][0-9]{5}|184467440737095[0-4][0-9]{4}|\
                      18446744073709550[0-9]{3}|18446744073709551[0-5][0-9]{2}|1844674407370955160[0-9]|1844674407370955161[0-5])$";

/// Paths of lowerCamelCase names, and what else stands in them, such as `*`: no underscore, no quotation mark.
const FIELD_MASK: &str = r"^[!#-\[\]\^`-~]*$";

/// The schemas of a document.
pub(crate) struct Schemas<'d> {
    pub(crate) described: &'d Described,
    /// The messages that answers hold.
    answered: HashSet<String>,
    made: Object,
}

impl<'d> Schemas<'d> {
    /// None yet, for methods that answer with these messages.
    pub(crate) fn new(described: &'d Described, answers: impl IntoIterator<Item = MessageDescriptor>) -> Self {
        let (mut answered, mut open) = (HashSet::new(), answers.into_iter().collect::<Vec<_>>());
        while let Some(message) = open.pop() {
            if answered.insert(message.full_name().to_owned()) {
                open.extend(message.fields().filter_map(|field| field.kind().as_message().cloned()));
            }
        }
        Self { described, answered, made: Object::new() }
    }

    /// Adds a schema that is no message's.
    pub(crate) fn add(&mut self, name: &'static str, schema: Object) {
        self.made.set(name, schema);
    }

    /// Those that were made, by name.
    pub(crate) fn finish(mut self) -> Object {
        self.made.sort();
        self.made
    }

    /// A schema that was referred to, by its name.
    pub(crate) fn find(&self, name: &str) -> Option<&Object> {
        self.made.object(name)
    }

    /// A reference to a message's schema, or the schema itself where JSON has a form of its own for the message.
    pub(crate) fn of_message(&mut self, message: &MessageDescriptor, side: Side) -> Object {
        if let Some(schema) = self.well_known(message, side) {
            return schema;
        }
        let goes_both_ways = side == Side::Request && self.answered.contains(message.full_name());
        let name = if goes_both_ways { format!("{}-Input", message.full_name()) } else { message.full_name().to_owned() };
        let reference = Object::reference("schemas", &name);
        if !self.made.contains(&name) {
            // Held first, so that a message within itself ends here.
            self.made.set(name.clone(), Object::new());
            let schema = self.fields_of(message, side, &Without::default());
            self.made.set(name, schema);
        }
        reference
    }

    /// The schema of a message's fields.
    pub(crate) fn fields_of(&mut self, message: &MessageDescriptor, side: Side, without: &Without<'_>) -> Object {
        let (mut properties, mut required) = (Object::new(), Vec::new());
        for field in message.fields().filter(|field| !without.fields.contains(&field.name())) {
            let rules = Rules::of(self.described, &field);
            let is_demanded = self.described.behaves(&field, Behavior::Required) && !without.demands;
            if side == Side::Request && (rules.demands(&field) || is_demanded) {
                required.push(field.json_name().to_owned());
            }
            let mut schema = self.of_field(&field, side);
            if side == Side::Request && is_demanded {
                schema = filled(schema, &field);
            }
            properties.set(field.json_name().to_owned(), schema);
        }
        let choices: Vec<Json> =
            message.oneofs().filter(|oneof| !oneof.is_synthetic()).map(|oneof| self.choice(&oneof).into()).collect();
        let about = self.described.comment_of_message(message).to_owned();
        let mut schema = Object::new().with("type", "object").with_text("description", &about).with("properties", properties);
        if !required.is_empty() {
            schema.set("required", required);
        }
        if side == Side::Request {
            schema.set("additionalProperties", false);
        }
        if !choices.is_empty() {
            schema.set("allOf", choices);
        }
        schema
    }

    /// One of some fields, or none of them.
    fn choice(&self, oneof: &prost_reflect::OneofDescriptor) -> Object {
        let has = |field: FieldDescriptor| Object::new().with("required", vec![field.json_name()]);
        let mut choices: Vec<Object> = oneof.fields().map(has).collect();
        let rules = self.described.option(&oneof.options(), "buf.validate.oneof");
        let is_required = rules.as_ref().and_then(|rules| rules.as_message()?.get_field_by_name("required")?.as_bool());
        if is_required != Some(true) {
            choices.push(Object::new().with("not", Object::new().with("anyOf", choices.clone())));
        }
        Object::new().with("oneOf", choices)
    }

    /// The schema of a field, with its rules, its comment and what else its contract says.
    pub(crate) fn of_field(&mut self, field: &FieldDescriptor, side: Side) -> Object {
        let rules = if side == Side::Request { Rules::of(self.described, field) } else { Rules::default() };
        let schema = self.of_values(field, &rules, side);
        let schema = rules.constrain(schema, field, &field.kind());
        let is_secret = side == Side::Request && self.described.is_sensitive(field) && field.kind() == Kind::String;
        let is_plain = schema.text("type") == Some("string") && !schema.contains("format");
        let behaves = |behavior| self.described.behaves(field, behavior).then_some(true);
        let options = field.field_descriptor_proto().options.as_ref();
        let mut all = Object::new().with_text("description", self.described.comment_of_field(field));
        for (key, value) in schema.iter() {
            // A field's own comment says more than its type's.
            if key != "description" || !all.contains(key) {
                all.set(key.to_owned(), value.clone());
            }
        }
        all.with_some("format", (is_secret && is_plain).then_some("password"))
            .with_some("readOnly", behaves(Behavior::OutputOnly))
            .with_some("writeOnly", behaves(Behavior::InputOnly))
            .with_some("deprecated", options.and_then(|options| options.deprecated).filter(|is_deprecated| *is_deprecated))
    }

    fn of_values(&mut self, field: &FieldDescriptor, rules: &Rules, side: Side) -> Object {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => {
                let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
                let values = rules.part("values").constrain_value(self.of_kind(&value, side), &value);
                let schema = Object::new().with("type", "object").with("additionalProperties", values);
                schema.with_some("propertyNames", keys(&rules.part("keys"), &key))
            }
            kind if field.is_list() => {
                let items = rules.part("items").constrain_value(self.of_kind(&kind, side), &kind);
                Object::new().with("type", "array").with("items", items)
            }
            kind => self.of_kind(&kind, side),
        }
    }

    /// The schema of a value.
    pub(crate) fn of_kind(&mut self, kind: &Kind, side: Side) -> Object {
        let typed = |kind: &'static str| Object::new().with("type", kind);
        match kind {
            Kind::Double => real("double"),
            Kind::Float => real("float"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                typed("integer").with("format", "int32").with("minimum", i64::from(i32::MIN)).with("maximum", i64::from(i32::MAX))
            }
            Kind::Uint32 | Kind::Fixed32 => {
                typed("integer").with("format", "uint32").with("minimum", 0_i64).with("maximum", i64::from(u32::MAX))
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => self.number_as_text("int64", INT64),
            Kind::Uint64 | Kind::Fixed64 => self.number_as_text("uint64", UINT64),
            Kind::Bool => typed("boolean"),
            Kind::String => typed("string"),
            Kind::Bytes => typed("string").with("format", "byte").with("contentEncoding", "base64"),
            Kind::Enum(found) => self.of_enum(found),
            Kind::Message(message) => self.of_message(message, side),
        }
    }

    fn number_as_text(&mut self, name: &'static str, pattern: &'static str) -> Object {
        if !self.made.contains(name) {
            let about = "A whole number of 64 bits, as text: JavaScript's numbers are too small for it.";
            let schema =
                Object::new().with("type", "string").with("format", name).with("description", about).with("pattern", pattern);
            self.made.set(name, schema);
        }
        Object::reference("schemas", name)
    }

    fn of_enum(&mut self, found: &EnumDescriptor) -> Object {
        if found.full_name() == "google.protobuf.NullValue" {
            return Object::new().with("type", "null");
        }
        if !self.made.contains(found.full_name()) {
            let names: Vec<Json> = found.values().map(|value| value.name().into()).collect();
            let about = self.described.comment_of_enum(found);
            let schema = Object::new().with("type", "string").with_text("description", &about).with("enum", names);
            self.made.set(found.full_name().to_owned(), schema);
        }
        Object::reference("schemas", found.full_name())
    }

    /// The schema of a message that JSON has a form of its own for.
    fn well_known(&mut self, message: &MessageDescriptor, side: Side) -> Option<Object> {
        let typed = |kind: &'static str| Object::new().with("type", kind);
        let name = message.full_name().strip_prefix("google.protobuf.")?;
        Some(match name {
            "Timestamp" => typed("string").with("format", "date-time"),
            "Duration" => typed("string").with("format", "duration-seconds").with("pattern", r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$"),
            "FieldMask" => {
                let about = "Names of fields, separated by commas.";
                typed("string").with("format", "field-mask").with("description", about).with("pattern", FIELD_MASK)
            }
            "Struct" => typed("object"),
            "Value" => Object::new().with("description", "Any JSON value."),
            "ListValue" => typed("array").with("items", Object::new()),
            "Empty" => match side {
                Side::Request => typed("object").with("additionalProperties", false),
                Side::Answer => typed("object"),
            },
            "Any" => {
                let about = "The full name of the message's type, behind a slash.";
                let kind = typed("string").with("description", about);
                let about = "A message of a type that it names itself. Beside `@type` it has the fields of that type.";
                let schema = typed("object").with("description", about);
                schema.with("properties", Object::new().with("@type", kind)).with("required", vec!["@type"])
            }
            name if name.ends_with("Value") => self.of_kind(&message.get_field(1)?.kind(), side),
            _ => return None,
        })
    }
}

/// What a schema of fields leaves out.
#[derive(Debug, Default)]
pub(crate) struct Without<'f> {
    /// Fields that come from elsewhere, by the contract's names.
    pub(crate) fields: Vec<&'f str>,
    /// That fields marked `REQUIRED` must be there: a change of some fields leaves the others out.
    pub(crate) demands: bool,
}

/// A field that must be there is not empty (AIP-203).
fn filled(schema: Object, field: &FieldDescriptor) -> Object {
    let keyword = match field.kind() {
        _ if field.is_list() => "minItems",
        Kind::String => "minLength",
        _ => return schema,
    };
    if schema.contains(keyword) || schema.contains("enum") { schema } else { schema.with(keyword, 1_u64) }
}

/// What the keys of a map must be.
fn keys(rules: &Rules, kind: &Kind) -> Option<Object> {
    let pattern = match kind {
        Kind::String => {
            let schema = rules.constrain_value(Object::new(), kind);
            return (!schema.is_empty()).then_some(schema);
        }
        Kind::Bool => "^(true|false)$",
        kind if is_written_as_text(kind) && matches!(kind, Kind::Uint64 | Kind::Fixed64) => UINT64,
        kind if is_written_as_text(kind) => INT64,
        Kind::Uint32 | Kind::Fixed32 => "^(0|[1-9][0-9]{0,9})$",
        _ => "^-?(0|[1-9][0-9]{0,9})$",
    };
    Some(Object::new().with("pattern", pattern))
}

fn real(format: &'static str) -> Object {
    let number = Object::new().with("type", "number").with("format", format);
    let other = Object::new().with("type", "string").with("enum", vec!["NaN", "Infinity", "-Infinity"]);
    Object::new().with("anyOf", vec![number, other])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_pattern_of_a_whole_number_takes_what_fits_in_64_bits() {
        let (signed, unsigned) = (regex::Regex::new(INT64).unwrap(), regex::Regex::new(UINT64).unwrap());
        let mut near: Vec<i128> = vec![0, 1, -1, 9, 10];
        for edge in [i128::from(i64::MAX), i128::from(i64::MIN), i128::from(u64::MAX)] {
            let mut step = 1;
            while step < 10_i128.pow(20) {
                near.extend([edge - step, edge, edge + step]);
                step = step * 10 / 9 + 1;
            }
        }
        for number in near {
            assert_eq!(signed.is_match(&number.to_string()), i64::try_from(number).is_ok(), "{number}");
            assert_eq!(unsigned.is_match(&number.to_string()), u64::try_from(number).is_ok(), "{number}");
        }
        for text in ["", "-", "01", "-0x", "1.0", "+1"] {
            assert!(!signed.is_match(text) && !unsigned.is_match(text), "{text}");
        }
    }
}
