//! Bodies of requests.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use weft_transcode::{HttpRule, Method};

use crate::{
    described,
    error::OpenApiError,
    examples,
    json::Object,
    path::DocumentPath,
    rules::Rules,
    schemas::{Schemas, Side, Without},
    stream,
};

/// Whether a message is bytes as they are.
pub(crate) fn is_http_body(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
}

/// The body of a request; none if it takes none.
pub(crate) fn of_request(
    schemas: &mut Schemas<'_>,
    method: &Method,
    rule: &HttpRule,
    path: &DocumentPath,
    input: &MessageDescriptor,
) -> Result<Option<Object>, OpenApiError> {
    let field = match rule.body.as_str() {
        "" => return Ok(None),
        "*" => None,
        name => Some(described::field_named(input, name).ok_or_else(|| OpenApiError::UnknownField {
            method: method.full_name(),
            field: name.to_owned(),
            message: input.full_name().to_owned(),
        })?),
    };
    let message = field.as_ref().map_or(Some(input.clone()), |field| field.kind().as_message().cloned());
    if message.as_ref().is_some_and(is_http_body) {
        let about = "Bytes as they are, of the type that `Content-Type` names.";
        let content = Object::new().with("*/*", Object::new().with("schema", Object::new()));
        return Ok(Some(Object::new().with("description", about).with("content", content)));
    }
    let schema = match &field {
        None => of_whole(schemas, input, path),
        Some(field) => of_field(schemas, field, path, rule.method == "PATCH"),
    };
    let is_demanded = match &field {
        None => is_required(schemas, &schema),
        Some(field) => Rules::of(schemas.described, field).demands(field),
    };
    let content = if method.client_streaming {
        stream::requests(&schema)
    } else {
        let example = examples::of_request(schemas, &schema);
        Object::new().with("application/json", Object::new().with("schema", schema).with_some("example", example))
    };
    let about = field.map(|field| schemas.described.comment_of_field(&field).to_owned()).unwrap_or_default();
    let body = Object::new().with_text("description", &about).with("content", content);
    Ok(Some(body.with_some("required", is_demanded.then_some(true))))
}

/// The whole request, without what the path sets.
fn of_whole(schemas: &mut Schemas<'_>, input: &MessageDescriptor, path: &DocumentPath) -> Object {
    let fields: Vec<&str> = path.fields.iter().map(String::as_str).filter(|field| !field.contains('.')).collect();
    if fields.is_empty() {
        return schemas.of_message(input, Side::Request);
    }
    schemas.fields_of(input, Side::Request, &Without { fields, demands: false })
}

/// One field, without what the path sets of it. A PATCH may leave out every field of it.
fn of_field(schemas: &mut Schemas<'_>, field: &FieldDescriptor, path: &DocumentPath, is_patch: bool) -> Object {
    let within = format!("{}.", field.name());
    let fields: Vec<&str> = path.fields.iter().filter_map(|path| path.strip_prefix(&within)).collect();
    match field.kind() {
        Kind::Message(message)
            if !field.is_list()
                && !field.is_map()
                && message.package_name() != "google.protobuf"
                && (is_patch || !fields.is_empty()) =>
        {
            schemas.fields_of(&message, Side::Request, &Without { fields, demands: is_patch })
        }
        _ => {
            let mut schema = schemas.of_field(field, Side::Request);
            schema.remove("description");
            schema
        }
    }
}

fn is_required(schemas: &Schemas<'_>, schema: &Object) -> bool {
    let name = schema.text("$ref").and_then(|reference| reference.rsplit('/').next());
    let schema = name.and_then(|name| schemas.find(name)).unwrap_or(schema);
    !schema.list("required").is_empty()
}
