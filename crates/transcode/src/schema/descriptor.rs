//! Reads an encoded `google.protobuf.FileDescriptorSet`: only what translation needs, borrowed from the bytes.
//!
//! Field numbers are those of `descriptor.proto` and `google/api/http.proto`. Reading the wire here instead of with
//! generated types keeps the extensions: `google.api.http` is one, and a generated `MethodOptions` drops it.

use super::features::Features;
use crate::error::Reason;
use crate::wire::{self, Read};

/// How deeply messages may be declared in messages, or rules in rules.
const MAX_NESTING: usize = 64;
/// The extension number of `google.api.http` in `MethodOptions`.
const HTTP: u32 = 72_295_728;

#[derive(Default)]
pub(super) struct File<'a> {
    pub(super) name: &'a str,
    pub(super) package: &'a str,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) enums: Vec<Enum<'a>>,
    pub(super) services: Vec<Service<'a>>,
    pub(super) extensions: Vec<Field<'a>>,
    pub(super) options: Options,
    pub(super) syntax: &'a str,
    pub(super) edition: i32,
}

#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) name: &'a str,
    pub(super) fields: Vec<Field<'a>>,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) enums: Vec<Enum<'a>>,
    pub(super) extensions: Vec<Field<'a>>,
    pub(super) oneofs: Vec<Options>,
    pub(super) options: Options,
}

#[derive(Default)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) extendee: &'a str,
    pub(super) number: i32,
    pub(super) label: i32,
    pub(super) kind: i32,
    pub(super) type_name: &'a str,
    pub(super) oneof: Option<i32>,
    pub(super) json_name: &'a str,
    pub(super) proto3_optional: bool,
    pub(super) options: Options,
}

#[derive(Default)]
pub(super) struct Enum<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<(&'a str, i32)>,
    pub(super) options: Options,
}

#[derive(Default)]
pub(super) struct Service<'a> {
    pub(super) name: &'a str,
    pub(super) methods: Vec<Method<'a>>,
}

#[derive(Default)]
pub(super) struct Method<'a> {
    pub(super) name: &'a str,
    pub(super) input: &'a str,
    pub(super) output: &'a str,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
    pub(super) options: &'a [u8],
    pub(super) http: Option<Rule<'a>>,
}

/// `google.api.HttpRule`.
#[derive(Default)]
pub(super) struct Rule<'a> {
    /// HTTP method and path template.
    pub(super) pattern: Option<(&'a str, &'a str)>,
    pub(super) body: &'a str,
    pub(super) response_body: &'a str,
    pub(super) additional: Vec<Rule<'a>>,
}

/// The options that change the JSON or wire form, whichever declaration they stand on.
#[derive(Default, Clone, Copy)]
pub(super) struct Options {
    pub(super) features: Features,
    pub(super) packed: Option<bool>,
    pub(super) map_entry: bool,
    pub(super) message_set: bool,
}

/// A value of a descriptor field: a number or bytes.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn text(&self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Reason::InvalidUtf8)
    }

    fn bytes(&self) -> Read<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Reason::InvalidTag),
        }
    }

    fn number(&self) -> i32 {
        match self {
            Self::Number(number) => *number as i32,
            Self::Bytes(_) => 0,
        }
    }

    fn truth(&self) -> bool {
        self.number() != 0
    }
}

/// Calls `each` with every varint and length-delimited field of a message.
fn read<'a>(bytes: &'a [u8], mut each: impl FnMut(u32, Value<'a>) -> Read<()>) -> Read<()> {
    let mut pos = 0;
    while pos < bytes.len() {
        let tag = wire::tag(bytes, &mut pos)?;
        match tag & 7 {
            wire::VARINT => each(tag >> 3, Value::Number(wire::varint(bytes, &mut pos)?))?,
            wire::LEN => {
                let end = wire::length(bytes, &mut pos)?;
                each(tag >> 3, Value::Bytes(&bytes[pos..end]))?;
                pos = end;
            }
            _ => wire::skip(bytes, &mut pos, tag, MAX_NESTING)?,
        }
    }
    Ok(())
}

/// Reads the files of a set.
pub(super) fn read_set(bytes: &[u8]) -> Read<Vec<File<'_>>> {
    let mut files = Vec::new();
    read(bytes, |number, value| {
        if number == 1 {
            files.push(read_file(value.bytes()?)?);
        }
        Ok(())
    })?;
    Ok(files)
}

fn read_file(bytes: &[u8]) -> Read<File<'_>> {
    let mut file = File::default();
    read(bytes, |number, value| {
        match number {
            1 => file.name = value.text()?,
            2 => file.package = value.text()?,
            4 => file.messages.push(read_message(value.bytes()?, MAX_NESTING)?),
            5 => file.enums.push(read_enum(value.bytes()?)?),
            6 => file.services.push(read_service(value.bytes()?)?),
            7 => file.extensions.push(read_field(value.bytes()?)?),
            8 => file.options = read_options(value.bytes()?, 50)?,
            12 => file.syntax = value.text()?,
            14 => file.edition = value.number(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(file)
}

fn read_message(bytes: &[u8], depth: usize) -> Read<Message<'_>> {
    let depth = depth.checked_sub(1).ok_or(Reason::TooDeep)?;
    let mut message = Message::default();
    read(bytes, |number, value| {
        match number {
            1 => message.name = value.text()?,
            2 => message.fields.push(read_field(value.bytes()?)?),
            3 => message.messages.push(read_message(value.bytes()?, depth)?),
            4 => message.enums.push(read_enum(value.bytes()?)?),
            6 => message.extensions.push(read_field(value.bytes()?)?),
            7 => message.options = read_options(value.bytes()?, 12)?,
            8 => message.oneofs.push(read_oneof(value.bytes()?)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(message)
}

fn read_oneof(bytes: &[u8]) -> Read<Options> {
    let mut options = Options::default();
    read(bytes, |number, value| {
        if number == 2 {
            options = read_options(value.bytes()?, 1)?;
        }
        Ok(())
    })?;
    Ok(options)
}

fn read_field(bytes: &[u8]) -> Read<Field<'_>> {
    let mut field = Field::default();
    read(bytes, |number, value| {
        match number {
            1 => field.name = value.text()?,
            2 => field.extendee = value.text()?,
            3 => field.number = value.number(),
            4 => field.label = value.number(),
            5 => field.kind = value.number(),
            6 => field.type_name = value.text()?,
            8 => field.options = read_options(value.bytes()?, 21)?,
            9 => field.oneof = Some(value.number()),
            10 => field.json_name = value.text()?,
            17 => field.proto3_optional = value.truth(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(field)
}

fn read_enum(bytes: &[u8]) -> Read<Enum<'_>> {
    let mut declared = Enum::default();
    read(bytes, |number, value| {
        match number {
            1 => declared.name = value.text()?,
            2 => declared.values.push(read_enum_value(value.bytes()?)?),
            3 => declared.options = read_options(value.bytes()?, 7)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(declared)
}

fn read_enum_value(bytes: &[u8]) -> Read<(&str, i32)> {
    let mut declared = ("", 0);
    read(bytes, |number, value| {
        match number {
            1 => declared.0 = value.text()?,
            2 => declared.1 = value.number(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(declared)
}

/// Reads the options of any declaration; only `features`, the number of `FeatureSet` in them, differs.
fn read_options(bytes: &[u8], features: u32) -> Read<Options> {
    // Numbers mean different things on different declarations: 7 is map_entry on a message (12), packed is 2 on a
    // field (21), message_set_wire_format is 1 on a message.
    let mut options = Options::default();
    read(bytes, |number, value| {
        match (features, number) {
            (12, 1) => options.message_set = value.truth(),
            (12, 7) => options.map_entry = value.truth(),
            (21, 2) => options.packed = Some(value.truth()),
            (_, number) if number == features => {
                read(value.bytes()?, |number, value| {
                    options.features.set(number, value.number());
                    Ok(())
                })?;
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(options)
}

fn read_service(bytes: &[u8]) -> Read<Service<'_>> {
    let mut service = Service::default();
    read(bytes, |number, value| {
        match number {
            1 => service.name = value.text()?,
            2 => service.methods.push(read_method(value.bytes()?)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(service)
}

fn read_method(bytes: &[u8]) -> Read<Method<'_>> {
    let mut method = Method::default();
    read(bytes, |number, value| {
        match number {
            1 => method.name = value.text()?,
            2 => method.input = value.text()?,
            3 => method.output = value.text()?,
            4 => {
                method.options = value.bytes()?;
                read(method.options, |number, value| {
                    if number == HTTP {
                        method.http = Some(read_rule(value.bytes()?, MAX_NESTING)?);
                    }
                    Ok(())
                })?;
            }
            5 => method.client_streaming = value.truth(),
            6 => method.server_streaming = value.truth(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(method)
}

fn read_rule(bytes: &[u8], depth: usize) -> Read<Rule<'_>> {
    let depth = depth.checked_sub(1).ok_or(Reason::TooDeep)?;
    let mut rule = Rule::default();
    read(bytes, |number, value| {
        match number {
            2 => rule.pattern = Some(("GET", value.text()?)),
            3 => rule.pattern = Some(("PUT", value.text()?)),
            4 => rule.pattern = Some(("POST", value.text()?)),
            5 => rule.pattern = Some(("DELETE", value.text()?)),
            6 => rule.pattern = Some(("PATCH", value.text()?)),
            7 => rule.body = value.text()?,
            8 => rule.pattern = Some(read_custom(value.bytes()?)?),
            11 => rule.additional.push(read_rule(value.bytes()?, depth)?),
            12 => rule.response_body = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(rule)
}

/// `google.api.CustomHttpPattern`.
fn read_custom(bytes: &[u8]) -> Read<(&str, &str)> {
    let mut custom = ("", "");
    read(bytes, |number, value| {
        match number {
            1 => custom.0 = value.text()?,
            2 => custom.1 = value.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(custom)
}
