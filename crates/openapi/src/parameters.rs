//! Parameters: what path, query and headers may hold.
//!
//! A query may set every field that neither path nor body sets and that one text can spell, by the path of its names:
//! `filter.state`. Maps, lists of messages and messages without such a spelling are out of its reach, and so is a message
//! within itself.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use weft_call::{Idempotency, MethodContract};

use crate::{
    described,
    error::OpenApiError,
    json::Object,
    path::{DocumentPath, PathParameter},
    rules::Rules,
    schemas::{Schemas, Side},
};

/// The parameters of a path.
pub(crate) fn of_path(
    schemas: &mut Schemas<'_>,
    method: &str,
    input: &MessageDescriptor,
    path: &DocumentPath,
) -> Result<Vec<Object>, OpenApiError> {
    path.parameters.iter().map(|parameter| in_path(schemas, method, input, parameter)).collect()
}

fn in_path(
    schemas: &mut Schemas<'_>,
    method: &str,
    input: &MessageDescriptor,
    parameter: &PathParameter,
) -> Result<Object, OpenApiError> {
    let head = Object::new().with("name", parameter.name.as_str()).with("in", "path").with("required", true);
    let several = if parameter.is_multi { "May hold slashes." } else { "" };
    let any = Object::new().with("type", "string").with("minLength", 1_u64);
    let Some(path) = &parameter.field else {
        return Ok(head.with_text("description", several).with("schema", any));
    };
    let field = described::field_at(input, path).ok_or_else(|| OpenApiError::UnknownField {
        method: method.to_owned(),
        field: path.clone(),
        message: input.full_name().to_owned(),
    })?;
    let about = [schemas.described.comment_of_field(&field), several].join(" ").trim().to_owned();
    let mut schema = if parameter.is_whole { schema_of(schemas, &field) } else { any };
    if field.kind() == Kind::String && !schema.contains("minLength") && !schema.contains("anyOf") && !schema.contains("format") {
        schema.set("minLength", 1_u64);
    }
    Ok(head.with_text("description", &about).with("schema", schema))
}

/// A field's schema; its comment is the parameter's.
fn schema_of(schemas: &mut Schemas<'_>, field: &FieldDescriptor) -> Object {
    let mut schema = schemas.of_field(field, Side::Request);
    if !schemas.described.comment_of_field(field).is_empty() {
        schema.remove("description");
    }
    schema
}

/// The parameters of a query: the fields that path and body do not set.
pub(crate) fn of_query(schemas: &mut Schemas<'_>, input: &MessageDescriptor, path: &DocumentPath, body: &str) -> Vec<Object> {
    if body == "*" {
        return Vec::new();
    }
    let mut leaves = Leaves { bound: &path.fields, body, found: Vec::new(), within: Vec::new() };
    leaves.collect(input, "", "");
    leaves.found.iter().map(|leaf| in_query(schemas, leaf)).collect()
}

fn in_query(schemas: &mut Schemas<'_>, leaf: &Leaf) -> Object {
    let about = schemas.described.comment_of_field(&leaf.field).to_owned();
    let is_required = leaf.is_own && Rules::of(schemas.described, &leaf.field).demands(&leaf.field);
    let parameter = Object::new()
        .with("name", leaf.name.as_str())
        .with("in", "query")
        .with_text("description", &about)
        .with_some("required", is_required.then_some(true))
        .with_some("explode", leaf.field.is_list().then_some(true));
    parameter.with("schema", schema_of(schemas, &leaf.field))
}

/// A field that a query may set.
struct Leaf {
    /// By its JSON names.
    name: String,
    field: FieldDescriptor,
    /// It is a field of the request itself.
    is_own: bool,
}

struct Leaves<'p> {
    bound: &'p [String],
    body: &'p str,
    found: Vec<Leaf>,
    within: Vec<String>,
}

impl Leaves<'_> {
    fn collect(&mut self, message: &MessageDescriptor, name: &str, path: &str) {
        self.within.push(message.full_name().to_owned());
        for field in message.fields().filter(|field| !field.is_map()) {
            let (name, path) = (joined(name, field.json_name()), joined(path, field.name()));
            let is_bound = self.bound.contains(&path) || self.within.len() == 1 && field.name() == self.body;
            match field.kind() {
                _ if is_bound => {}
                Kind::Message(inner) if !is_text(&inner) => {
                    let is_open =
                        !field.is_list() && is_plain(&inner) && !self.within.iter().any(|name| name == inner.full_name());
                    if is_open {
                        self.collect(&inner, &name, &path);
                    }
                }
                _ => self.found.push(Leaf { name, is_own: self.within.len() == 1, field }),
            }
        }
        self.within.pop();
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether one text can spell the message.
fn is_text(message: &MessageDescriptor) -> bool {
    let name = message.full_name().strip_prefix("google.protobuf.");
    name.is_some_and(|name| {
        matches!(name, "Timestamp" | "Duration" | "FieldMask") || name.len() > 5 && name.ends_with("Value") && name != "ListValue"
    })
}

fn is_plain(message: &MessageDescriptor) -> bool {
    message.package_name() != "google.protobuf"
}

/// The headers that say more of a call; `changed` are the messages that may hold the etag of what is changed.
pub(crate) fn of_headers(policy: Option<&MethodContract>, changed: &[&MessageDescriptor]) -> Vec<Object> {
    let Some(policy) = policy else { return Vec::new() };
    let mut headers = Vec::new();
    let text = |most: u64| {
        Object::new().with("type", "string").with("minLength", 1_u64).with("maxLength", most).with("pattern", "^[!-~]+$")
    };
    let header = |name: &str, about: &str, schema: Object| {
        Object::new().with("name", name).with("in", "header").with("description", about).with("schema", schema)
    };
    if policy.idempotency == Idempotency::Keyed {
        let about = "Marks repeats of one change: a request with the key of an earlier one gets the answer of that one.";
        headers.push(header("Idempotency-Key", about, text(255)));
    }
    let has_etag = changed.iter().any(|message| message.get_field_by_name("etag").is_some());
    if policy.idempotency != Idempotency::Read && has_etag {
        let about = "The `etag` of the version that is changed; with another than that which there is, the change is refused.";
        headers.push(header("If-Match", about, text(256)));
    }
    headers
}
