//! Query parameters: every field that neither path nor body sets, by the path of its names.

use super::parameters::{Parameters, SetError};
use super::{RequestError, RequestOptions};
use crate::options::UnknownFields;
use crate::percent::{self, Decode};
use crate::router::{Binding, Body, is_text_kind, resolve};
use crate::schema::{FieldIndex, Schema, Shape};

/// Names in a parameter: `a.b.c` has three.
const MAX_DEPTH: usize = 32;

/// Sets the fields that `query` names.
pub(super) fn read(
    schema: &Schema,
    binding: &Binding,
    query: &str,
    options: &RequestOptions,
    parameters: &mut Parameters<'_>,
) -> Result<(), RequestError> {
    if query.len() > options.json.limits.input {
        return Err(RequestError::TooLarge);
    }
    let decode = if options.plus_is_space { Decode::Form } else { Decode::All };
    for (count, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if count == options.max_parameters {
            return Err(RequestError::TooManyParameters);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent::decode(name, decode).map_err(|_| RequestError::QueryEncoding)?;
        let value = percent::decode(value, decode).map_err(|_| RequestError::ParameterEncoding(shown(&name)))?;
        if options.ignored_parameters.iter().any(|ignored| *ignored == name) {
            continue;
        }
        parameter(schema, binding, &name, &value, options, parameters)?;
    }
    Ok(())
}

fn parameter(
    schema: &Schema,
    binding: &Binding,
    name: &str,
    value: &str,
    options: &RequestOptions,
    parameters: &mut Parameters<'_>,
) -> Result<(), RequestError> {
    let path = if name.split('.').nth(MAX_DEPTH).is_none() { resolve(schema, binding.input, name) } else { None };
    let ignore = options.unknown_parameters == UnknownFields::Ignore;
    let Some(path) = path else {
        return if ignore { Ok(()) } else { Err(RequestError::UnknownParameter(shown(name))) };
    };
    if is_bound(binding, &path) {
        return if ignore { Ok(()) } else { Err(RequestError::BoundParameter(name.to_owned())) };
    }
    let suitable = path.last().is_some_and(|leaf| {
        let field = schema.field(*leaf);
        field.shape != Shape::Map && is_text_kind(schema, field)
    });
    if !suitable {
        return Err(RequestError::UnsuitableParameter(name.to_owned()));
    }
    parameters.set(&path, value, &options.json).map_err(|error| match error {
        SetError::Value(error) => RequestError::Query(error),
        SetError::Repeated => RequestError::RepeatedParameter(name.to_owned()),
        SetError::Conflict => RequestError::ConflictingParameter(name.to_owned()),
    })
}

/// Whether path or body set the field, a part of it, or what it is a part of.
fn is_bound(binding: &Binding, path: &[FieldIndex]) -> bool {
    let in_body = match binding.body {
        Body::None => false,
        Body::Whole => true,
        Body::Field(field) => path[0] == field,
    };
    in_body || binding.variables.iter().any(|variable| variable.path.starts_with(path) || path.starts_with(&variable.path))
}

/// A name that is not of the schema: shown only when it is shaped like a field path.
fn shown(name: &str) -> String {
    let shaped = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    if shaped { name.to_owned() } else { "?".to_owned() }
}
