//! A descriptor set as flat tables.
//!
//! Translation asks three questions: which field has this number, which field has this name, how is it written. All
//! are answered by indices into a few vectors that [`Schema::from_descriptor_set`] fills once; nothing is hashed by
//! string, counted or locked afterwards. A schema is immutable: a new descriptor set is a new schema.

mod build;
mod descriptor;
mod features;
mod method;
mod names;
mod table;

use std::collections::HashMap;

pub use method::{HttpRule, Method};
pub(crate) use names::Text;
use names::{Names, Table};
pub(crate) use table::{Enum, Field, Form, Kind, Message, NO_ONEOF, Shape};

use crate::error::Reason;

/// A message type of one [`Schema`]. It means nothing to another schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(pub(crate) u32);

/// A field of a schema, over all messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldIndex(pub(crate) u32);

/// Why a descriptor set was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The bytes are not a `FileDescriptorSet`.
    #[error("not a file descriptor set: {0}")]
    Malformed(Reason),
    /// The file has a syntax or an edition that is not supported: proto2, proto3 and edition 2023 are.
    #[error("{file}: unsupported syntax or edition")]
    UnsupportedSyntax {
        /// The `.proto` file.
        file: String,
    },
    /// Two declarations of one name.
    #[error("{0} is declared twice")]
    Duplicate(String),
    /// A type that no file of the set declares.
    #[error("{at} refers to {name}, which the set does not declare")]
    UnknownType {
        /// Who refers to it.
        at: String,
        /// The missing type.
        name: String,
    },
    /// A field number, kind or oneof that no compiler would emit.
    #[error("{field} is not a valid field declaration")]
    InvalidField {
        /// Full name of the field.
        field: String,
    },
    /// Two fields of one message share a number.
    #[error("{message} has field number {number} twice")]
    DuplicateNumber {
        /// The message.
        message: String,
        /// The number.
        number: u32,
    },
    /// A well-known type that is not the one everyone knows.
    #[error("{0} does not have the fields of the well-known type")]
    WellKnownType(String),
}

/// Message types, enums and methods of a descriptor set, ready for translation.
pub struct Schema {
    pub(crate) messages: Vec<Message>,
    pub(crate) fields: Vec<Field>,
    pub(crate) enums: Vec<Enum>,
    /// Enum values by number: `Enum::values` are ranges of it.
    enum_values: Vec<(i32, Text)>,
    /// Local field index by number; `Message::dense` are ranges of it. `u16::MAX` is no field.
    dense: Vec<u16>,
    names: Names,
    message_names: Vec<String>,
    by_name: HashMap<String, u32>,
    methods: Vec<Method>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({} messages, {} methods)", self.messages.len(), self.methods.len())
    }
}

impl Schema {
    /// Reads an encoded `google.protobuf.FileDescriptorSet` that holds every file its files import. A file that
    /// occurs twice counts once, so sets can be joined by joining their bytes.
    pub fn from_descriptor_set(set: &[u8]) -> Result<Self, SchemaError> {
        build::build(set)
    }

    /// The message type of a full name such as `weft.orders.v1.Order`.
    pub fn message(&self, full_name: &str) -> Option<MessageId> {
        self.by_name.get(full_name).copied().map(MessageId)
    }

    /// Whether the type is `google.api.HttpBody`, whose content is the body itself and not JSON.
    pub fn is_http_body(&self, message: MessageId) -> bool {
        self.message_name(message) == "google.api.HttpBody"
    }

    /// The full name of a message type.
    pub fn message_name(&self, message: MessageId) -> &str {
        &self.message_names[message.0 as usize]
    }

    /// Every method of every service, in the order of the set.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    #[inline(always)]
    pub(crate) fn get(&self, message: u32) -> &Message {
        &self.messages[message as usize]
    }

    /// The fields of a message by number, ascending.
    #[inline(always)]
    pub(crate) fn fields_of(&self, message: &Message) -> &[Field] {
        &self.fields[message.first as usize..(message.first + message.count) as usize]
    }

    /// The local index of the field with this number.
    #[inline]
    pub(crate) fn field_by_number(&self, message: &Message, number: u32) -> Option<usize> {
        if number < message.dense.1 {
            let index = self.dense[(message.dense.0 + number) as usize];
            return (index != u16::MAX).then_some(usize::from(index));
        }
        self.fields_of(message).binary_search_by_key(&number, |field| field.number).ok()
    }

    /// The local index of the field with this JSON or original name.
    #[inline]
    pub(crate) fn field_by_name(&self, message: &Message, name: &[u8]) -> Option<usize> {
        self.names.find(message.names, name).map(|index| index as usize)
    }

    #[inline(always)]
    pub(crate) fn text(&self) -> &[u8] {
        &self.names.text
    }

    pub(crate) fn field(&self, field: FieldIndex) -> &Field {
        &self.fields[field.0 as usize]
    }

    pub(crate) fn field_json_name(&self, field: FieldIndex) -> &str {
        self.key_name(self.fields[field.0 as usize].json_key)
    }

    pub(crate) fn field_original_name(&self, field: &Field) -> &str {
        self.key_name(field.original_key)
    }

    /// The name in a key `,"name":`.
    fn key_name(&self, key: Text) -> &str {
        let name = Text { at: key.at + 2, len: key.len - 4 };
        std::str::from_utf8(self.names.get(name)).unwrap_or_default()
    }

    /// The number of an enum value.
    pub(crate) fn enum_number(&self, declared: &Enum, name: &[u8]) -> Option<i32> {
        self.names.find(declared.names, name).map(|index| self.enum_values[index as usize].0)
    }

    /// The number of an enum value whose name differs in ASCII case at most.
    pub(crate) fn enum_number_any_case(&self, declared: &Enum, name: &[u8]) -> Option<i32> {
        if let Some(number) = self.enum_number(declared, name) {
            return Some(number);
        }
        let (first, count) = declared.all;
        self.enum_values[first as usize..(first + count) as usize].iter().find_map(|(number, text)| {
            let quoted = self.names.get(*text);
            quoted[1..quoted.len() - 1].eq_ignore_ascii_case(name).then_some(*number)
        })
    }

    /// The value of a map entry without one: the first that is declared.
    pub(crate) fn enum_default(&self, declared: &Enum) -> i32 {
        self.enum_values.get(declared.all.0 as usize).map_or(0, |value| value.0)
    }

    /// The quoted name of an enum value.
    #[inline]
    pub(crate) fn enum_name(&self, declared: &Enum, number: i32) -> Option<Text> {
        let (first, count) = declared.values;
        let values = &self.enum_values[first as usize..(first + count) as usize];
        // Numbers are mostly 0, 1, 2 ...: then the place is known.
        let guess = values.get((i64::from(number) - i64::from(values.first()?.0)) as usize);
        if let Some((found, text)) = guess
            && *found == number
        {
            return Some(*text);
        }
        values.binary_search_by_key(&number, |value| value.0).ok().map(|i| values[i].1)
    }
}
