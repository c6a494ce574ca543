//! Fields of a request message that a path or query fills: found by their path, set from text.
//!
//! A text becomes the JSON that the field's type has, and the whole request is then read as JSON once: so
//! every type has one reader, and one way of being wrong.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

/// Longest path of a field, in fields: messages may nest without end.
const DEPTH_LIMIT: usize = 32;

/// The path of a field that text can fill: a scalar, a well-known type that is text in JSON, or a list of
/// either. All before the last are single messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldPath(Vec<FieldDescriptor>);

/// Why a path leads to no such field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FieldPathError {
    #[error("no such field")]
    Unknown,
    #[error("is not of a type that a text can set")]
    NotText,
}

/// Why a field cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SetError {
    #[error("is set more than once")]
    Twice,
    #[error("differs from what the path says")]
    Contradiction,
    #[error("must be an object")]
    NotObject,
}

impl FieldPath {
    /// Finds a field by names from the contract or their JSON forms, joined by dots.
    pub(super) fn find(message: &MessageDescriptor, path: &str) -> Result<Self, FieldPathError> {
        let mut fields: Vec<FieldDescriptor> = Vec::new();
        let mut within = Some(message.clone());
        for name in path.split('.') {
            let message = within.take().filter(|_| fields.len() < DEPTH_LIMIT).ok_or(FieldPathError::Unknown)?;
            let field = message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name));
            let field = field.ok_or(FieldPathError::Unknown)?;
            if let Kind::Message(inner) = field.kind()
                && !field.is_list()
            {
                within = Some(inner);
            }
            fields.push(field);
        }
        match fields.last() {
            Some(last) if !last.is_map() && is_text(&last.kind()) => Ok(Self(fields)),
            _ => Err(FieldPathError::NotText),
        }
    }

    /// The path in the contract's names.
    pub(super) fn name(&self) -> String {
        self.0.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
    }

    /// Sets the field of a request in JSON. A list grows by the value; anything else is set once.
    pub(super) fn set(&self, request: &mut Map<String, Value>, text: &str) -> Result<(), SetError> {
        let (Some((last, outer)), value) = (self.0.split_last(), self.value(text)) else { return Ok(()) };
        let object = enter(request, outer)?;
        let key = key(object, last);
        if last.is_list() {
            let items = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            items.as_array_mut().ok_or(SetError::Twice)?.push(value);
            return Ok(());
        }
        match object.insert(key, value) {
            None => Ok(()),
            Some(_) => Err(SetError::Twice),
        }
    }

    /// Sets the field from the path: a body may say the same, but nothing else.
    pub(super) fn bind(&self, request: &mut Map<String, Value>, text: &str) -> Result<(), SetError> {
        let (Some((last, outer)), value) = (self.0.split_last(), self.value(text)) else { return Ok(()) };
        let object = enter(request, outer)?;
        let key = key(object, last);
        match object.insert(key, value) {
            None | Some(Value::Null) => Ok(()),
            Some(said) if spelling(&said).as_deref() == Some(text) => Ok(()),
            Some(_) => Err(SetError::Contradiction),
        }
    }

    fn value(&self, text: &str) -> Value {
        self.0.last().map_or(Value::Null, |field| json(&field.kind(), text))
    }
}

/// The object in which the field stands that `outer` leads to.
fn enter<'o>(mut object: &'o mut Map<String, Value>, outer: &[FieldDescriptor]) -> Result<&'o mut Map<String, Value>, SetError> {
    for field in outer {
        let key = key(object, field);
        let value = object.entry(key).or_insert(Value::Null);
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        object = value.as_object_mut().ok_or(SetError::NotObject)?;
    }
    Ok(object)
}

/// The spelling under which the field stands already; its JSON name otherwise.
fn key(object: &Map<String, Value>, field: &FieldDescriptor) -> String {
    let name = if object.contains_key(field.name()) { field.name() } else { field.json_name() };
    name.to_owned()
}

fn spelling(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_text(kind: &Kind) -> bool {
    let Kind::Message(message) = kind else { return true };
    let name = message.full_name();
    matches!(name, "google.protobuf.Timestamp" | "google.protobuf.Duration" | "google.protobuf.FieldMask")
        || wrapped(message).is_some()
}

/// The type in a wrapper such as `google.protobuf.Int32Value`.
fn wrapped(message: &MessageDescriptor) -> Option<Kind> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    if name.ends_with("Value") && !matches!(name, "Value" | "ListValue" | "NullValue") {
        message.get_field_by_name("value").map(|field| field.kind())
    } else {
        None
    }
}

/// A field's text as the JSON of its type. A text that is none of it stays a string: reading the request
/// then refuses it, with the field's path.
fn json(kind: &Kind, text: &str) -> Value {
    match kind {
        Kind::Bool => text.parse().map_or_else(|_| text.into(), Value::Bool),
        Kind::Enum(_) => text.parse::<i32>().map_or_else(|_| text.into(), Value::from),
        Kind::Message(message) if message.full_name() == "google.protobuf.FieldMask" => camel_case(text).into(),
        Kind::Message(message) => wrapped(message).map_or_else(|| text.into(), |kind| json(&kind, text)),
        _ => text.into(),
    }
}

/// JSON spells the paths of a field mask in lower camel case; in queries the contract's names are as usual.
fn camel_case(mask: &str) -> String {
    let mut camel = String::with_capacity(mask.len());
    let mut after_underscore = false;
    for char in mask.chars() {
        match char {
            '_' => after_underscore = true,
            _ if after_underscore => {
                camel.extend(char.to_uppercase());
                after_underscore = false;
            }
            _ => camel.push(char),
        }
    }
    camel
}
