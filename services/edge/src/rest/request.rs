//! The request message of a REST call: from the path, the query and the body.
//!
//! The parts meet as JSON, which is then read once as the method's message. Errors name the field by its
//! path and say what it must be; they never repeat what was sent.

use bytes::Bytes;
use percent_encoding::percent_decode;
use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment, Track};
use weft_call::{Error, FieldViolation, MeshReason, Result};

use super::{
    fields::FieldPath,
    routes::{BodyField, Route},
};

/// Fields that are named at most: a large request with one mistake repeated is not echoed in full.
const VIOLATION_LIMIT: usize = 50;

/// Puts the request message together.
pub(super) fn message(route: &Route, captures: &[(usize, String)], query: &str, body: &Bytes) -> Result<DynamicMessage> {
    let mut request = from_body(route, body)?;
    from_query(route, query, &mut request)?;
    for (field, (_, text)) in route.variables.iter().zip(captures) {
        field.bind(&mut request, text).map_err(|error| invalid([(field.name(), error.to_string())]))?;
    }
    refuse_unknown(&route.input, &request)?;
    read(&route.input, request)
}

// === the body ===

fn from_body(route: &Route, body: &Bytes) -> Result<Map<String, Value>> {
    let body = if body.is_empty() { None } else { Some(parse(body)?) };
    match (&route.body, body) {
        (_, None) => Ok(Map::new()),
        (BodyField::Nothing, Some(_)) => Err(invalid([("body".to_owned(), "must be empty".to_owned())])),
        (BodyField::Everything, Some(Value::Object(object))) => Ok(object),
        (BodyField::Everything, Some(_)) => Err(invalid([("body".to_owned(), "must be a JSON object".to_owned())])),
        (BodyField::Field(field), Some(value)) => Ok(Map::from_iter([(field.json_name().to_owned(), value)])),
    }
}

fn parse(body: &Bytes) -> Result<Value> {
    let place = |error: serde_json::Error| {
        let place = format!("must be JSON in UTF-8, and is not at line {}, column {}", error.line(), error.column());
        invalid([("body".to_owned(), place)])
    };
    serde_json::from_slice(body).map_err(place)
}

// === the query ===

fn from_query(route: &Route, query: &str, request: &mut Map<String, Value>) -> Result<()> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let wrong = |name: &str, problem: String| invalid([(shortened(name), problem)]);
        let (name, value) = match (decode(name), decode(value)) {
            (Some(name), Some(value)) => (name, value),
            (Some(name), None) => return Err(wrong(&name, "must be UTF-8".to_owned())),
            (None, _) => return Err(wrong("query", "must be UTF-8".to_owned())),
        };
        let field = FieldPath::find(&route.input, &name).map_err(|error| wrong(&name, error.to_string()))?;
        let filled = field.name();
        let by_body = match &route.body {
            BodyField::Nothing => false,
            BodyField::Everything => true,
            BodyField::Field(body) => filled == body.name() || filled.starts_with(&format!("{}.", body.name())),
        };
        if by_body {
            return Err(wrong(&name, "is set by the body, not by the query".to_owned()));
        }
        if route.variables.contains(&field) {
            return Err(wrong(&name, "is set by the path, not by the query".to_owned()));
        }
        field.set(request, &value).map_err(|error| wrong(&filled, error.to_string()))?;
    }
    Ok(())
}

/// As forms are encoded: a plus is a space.
fn decode(text: &str) -> Option<String> {
    let text: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

// === the message ===

/// Refuses what the message has no field for, all of it at once.
fn refuse_unknown(message: &MessageDescriptor, request: &Map<String, Value>) -> Result<()> {
    let mut unknown = Vec::new();
    find_unknown(message, request, "", &mut unknown);
    if unknown.is_empty() {
        return Ok(());
    }
    Err(invalid(unknown.into_iter().map(|field| (field, "no such field".to_owned()))))
}

fn find_unknown(message: &MessageDescriptor, object: &Map<String, Value>, path: &str, unknown: &mut Vec<String>) {
    for (name, value) in object {
        if unknown.len() >= VIOLATION_LIMIT {
            return;
        }
        let Some(field) = field(message, name) else {
            unknown.push(join(path, &shortened(name)));
            continue;
        };
        let path = join(path, field.name());
        let Kind::Message(inner) = field.kind() else { continue };
        if field.is_map() {
            let Kind::Message(inner) = inner.map_entry_value_field().kind() else { continue };
            for (key, value) in value.as_object().into_iter().flatten() {
                find_unknown_in(&inner, value, &format!("{path}[{:?}]", shortened(key)), unknown);
            }
        } else if field.is_list() {
            for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                find_unknown_in(&inner, value, &format!("{path}[{index}]"), unknown);
            }
        } else {
            find_unknown_in(&inner, value, &path, unknown);
        }
    }
}

fn find_unknown_in(message: &MessageDescriptor, value: &Value, path: &str, unknown: &mut Vec<String>) {
    // Well-known types have a JSON form of their own, without the fields of their messages.
    if message.package_name() != "google.protobuf"
        && let Value::Object(object) = value
    {
        find_unknown(message, object, path, unknown);
    }
}

fn read(message: &MessageDescriptor, request: Map<String, Value>) -> Result<DynamicMessage> {
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let mut track = Track::new();
    let request = Value::Object(request);
    let tracked = serde_path_to_error::Deserializer::new(request, &mut track);
    DynamicMessage::deserialize_with_options(message.clone(), tracked, &options).map_err(|error| {
        let (field, expected) = locate(message, &track.path());
        // The cause may repeat what was sent: it is for the log of a developer, not for the client.
        invalid([(field, expected)]).with_source(error)
    })
}

/// The path in the contract's names, and what must stand there.
fn locate(message: &MessageDescriptor, path: &Path) -> (String, String) {
    let (mut name, mut within, mut last) = (String::new(), Some(message.clone()), None);
    for segment in path {
        match segment {
            Segment::Map { key } => {
                let map = last.as_ref().is_some_and(FieldDescriptor::is_map);
                let found = within.as_ref().filter(|_| !map).and_then(|message| field(message, key));
                if let Some(found) = found {
                    name = join(&name, found.name());
                    within = found.kind().as_message().cloned();
                    last = Some(found);
                } else {
                    name = format!("{name}[{:?}]", shortened(key));
                    last = last.and_then(|map| map.kind().as_message().map(MessageDescriptor::map_entry_value_field));
                    within = last.as_ref().and_then(|value| value.kind().as_message().cloned());
                }
            }
            Segment::Seq { index } => name = format!("{name}[{index}]"),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let expected = last.map_or_else(|| "must be a JSON object".to_owned(), |field| expected(&field));
    (if name.is_empty() { "body".to_owned() } else { name }, expected)
}

fn expected(field: &FieldDescriptor) -> String {
    let what = match field.kind() {
        Kind::Double | Kind::Float => "a number".to_owned(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => "an integer of 32 bits".to_owned(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => "an integer of 64 bits".to_owned(),
        Kind::Uint32 | Kind::Fixed32 => "an integer of 32 bits, not negative".to_owned(),
        Kind::Uint64 | Kind::Fixed64 => "an integer of 64 bits, not negative".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::String => "a string".to_owned(),
        Kind::Bytes => "a string in base64".to_owned(),
        Kind::Enum(of) => format!("a value of {}", of.full_name()),
        Kind::Message(_) if field.is_map() => "an object".to_owned(),
        Kind::Message(of) => format!("a {}", of.full_name()),
    };
    format!("must be {what}")
}

fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Names that are the client's own are cut, so that an error does not echo a whole request.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

fn invalid(fields: impl IntoIterator<Item = (String, String)>) -> Error {
    let fields: Vec<_> = fields.into_iter().collect();
    let names: Vec<_> = fields.iter().take(3).map(|(field, problem)| format!("{field} {problem}")).collect();
    let error = Error::new(MeshReason::MalformedMessage, format!("invalid request: {}", names.join("; ")));
    fields.into_iter().fold(error, |error, (field, description)| {
        error.with_violation(FieldViolation { field, description, rule: String::new() })
    })
}

#[cfg(test)]
mod tests;
