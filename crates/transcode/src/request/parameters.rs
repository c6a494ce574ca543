//! The fields that path and query set, as a tree, so that each message is written once.

use super::{RequestError, put_field};
use crate::error::Error;
use crate::escape::escape;
use crate::json_to_wire::json_to_field;
use crate::options::ReadOptions;
use crate::schema::{Field, FieldIndex, Form, Kind, NO_ONEOF, Schema, Shape};

/// Why a field could not be set.
#[derive(Debug)]
pub(super) enum SetError {
    /// The text does not spell a value of the field.
    Value(Error),
    /// The field is set and not repeated.
    Repeated,
    /// Another field of its oneof is set.
    Conflict,
}

impl SetError {
    /// The error of a path variable, which can neither repeat nor conflict with more than a query parameter.
    pub(super) fn in_path(self) -> RequestError {
        match self {
            Self::Value(error) => RequestError::Path(error),
            Self::Repeated | Self::Conflict => RequestError::BoundParameter("a path variable".to_owned()),
        }
    }
}

#[derive(Debug)]
struct Node {
    field: FieldIndex,
    /// The wire of a leaf, tag included.
    wire: Vec<u8>,
    children: Vec<Self>,
}

#[derive(Debug)]
pub(super) struct Parameters<'s> {
    schema: &'s Schema,
    roots: Vec<Node>,
}

impl<'s> Parameters<'s> {
    pub(super) fn new(schema: &'s Schema) -> Self {
        Self { schema, roots: Vec::new() }
    }

    /// Whether a field of the request itself is set.
    pub(super) fn holds(&self, field: FieldIndex) -> bool {
        self.roots.iter().any(|node| node.field == field)
    }

    /// Sets the field at the end of `path` to what `text` spells; adds to it when it is repeated.
    pub(super) fn set(&mut self, path: &[FieldIndex], text: &str, options: &ReadOptions) -> Result<(), SetError> {
        let schema = self.schema;
        let mut level = &mut self.roots;
        for (depth, &index) in path.iter().enumerate() {
            let field = schema.field(index);
            let oneof = |node: &Node| schema.field(node.field).oneof;
            if field.oneof != NO_ONEOF && level.iter().any(|node| node.field != index && oneof(node) == field.oneof) {
                return Err(SetError::Conflict);
            }
            let place = level.iter().position(|node| node.field == index);
            let leaf = depth + 1 == path.len();
            if leaf && place.is_some() && field.shape == Shape::Singular {
                return Err(SetError::Repeated);
            }
            let place = place.unwrap_or_else(|| {
                level.push(Node { field: index, wire: Vec::new(), children: Vec::new() });
                level.len() - 1
            });
            if leaf {
                let wire = &mut level[place].wire;
                // Most are, and JSON has nothing to say about them.
                if field.kind == Kind::String && !text.is_empty() {
                    put_field(field, text.as_bytes(), wire);
                    return Ok(());
                }
                let json = json_of(schema, field, text);
                return json_to_field(schema, field, json.as_bytes(), options, wire)
                    .map_err(|error| SetError::Value(at_field(schema, path, &error)));
            }
            level = &mut level[place].children;
        }
        Ok(())
    }

    /// Appends all fields.
    pub(super) fn encode(&self, wire: &mut Vec<u8>) {
        encode(self.schema, &self.roots, wire);
    }
}

fn encode(schema: &Schema, nodes: &[Node], wire: &mut Vec<u8>) {
    for node in nodes {
        if node.children.is_empty() {
            wire.extend_from_slice(&node.wire);
        } else {
            let mut content = Vec::new();
            encode(schema, &node.children, &mut content);
            put_field(schema.field(node.field), &content, wire);
        }
    }
}

/// The error under the parameter's path; the place within its text would say nothing of the request.
fn at_field(schema: &Schema, path: &[FieldIndex], error: &Error) -> Error {
    let join = |name: fn(&Schema, FieldIndex) -> &str| {
        let names: Vec<&str> = path.iter().map(|field| name(schema, *field)).collect();
        names.join(".")
    };
    let original = join(|schema, field| schema.field_original_name(schema.field(field)));
    Error::new(error.reason(), join(Schema::field_json_name), None).with_original(original)
}

/// The JSON of what `text` spells.
fn json_of(schema: &Schema, field: &Field, text: &str) -> String {
    let value = value_of(schema, field, text);
    if field.shape == Shape::Repeated { format!("[{value}]") } else { value }
}

fn value_of(schema: &Schema, field: &Field, text: &str) -> String {
    match field.kind {
        Kind::Bool if matches!(text, "true" | "false") => text.to_owned(),
        // Numbers of enums are numbers in JSON; anything else is a name.
        Kind::Enum if text.parse::<i32>().is_ok() && !text.starts_with('+') => text.to_owned(),
        Kind::Message => {
            let message = schema.get(field.target);
            match message.form {
                Form::Wrapper => value_of(schema, &schema.fields_of(message)[0], text),
                Form::FieldMask => quote(&camel_paths(text)),
                _ => quote(text),
            }
        }
        _ => quote(text),
    }
}

/// Masks are written by hand in queries, so the field names of the `.proto` file are taken too.
fn camel_paths(text: &str) -> String {
    let camel = |path: &str| {
        if path.contains('_') && !path.contains(|c: char| c.is_ascii_uppercase()) {
            let mut camel = Vec::new();
            if crate::well_known::field_mask::to_camel(path.as_bytes(), &mut camel).is_some() {
                return String::from_utf8(camel).unwrap_or_default();
            }
        }
        path.to_owned()
    };
    text.split(',').map(camel).collect::<Vec<_>>().join(",")
}

/// Text as a JSON string.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        quoted.push_str(&escape(text));
    } else {
        quoted.push_str(text);
    }
    quoted.push('"');
    quoted
}
