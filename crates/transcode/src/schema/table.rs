//! The rows of the tables.

use super::{Table, Text};
use crate::wire;

/// A field's type, numbered as `FieldDescriptorProto.Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Group,
    Message,
    Bytes,
    Uint32,
    Enum,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
}

impl Kind {
    pub(super) fn of(kind: i32) -> Option<Self> {
        Some(match kind {
            1 => Self::Double,
            2 => Self::Float,
            3 => Self::Int64,
            4 => Self::Uint64,
            5 => Self::Int32,
            6 => Self::Fixed64,
            7 => Self::Fixed32,
            8 => Self::Bool,
            9 => Self::String,
            10 => Self::Group,
            11 => Self::Message,
            12 => Self::Bytes,
            13 => Self::Uint32,
            14 => Self::Enum,
            15 => Self::Sfixed32,
            16 => Self::Sfixed64,
            17 => Self::Sint32,
            18 => Self::Sint64,
            _ => return None,
        })
    }

    /// The wire type of one value.
    pub(crate) fn wire_type(self) -> u32 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => wire::FIXED64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => wire::FIXED32,
            Self::String | Self::Bytes | Self::Message => wire::LEN,
            Self::Group => wire::START_GROUP,
            _ => wire::VARINT,
        }
    }

    /// Whether many values fit one packed field.
    pub(crate) fn packable(self) -> bool {
        !matches!(self, Self::String | Self::Bytes | Self::Message | Self::Group)
    }

    /// Whether a map may have such a key.
    pub(crate) fn map_key(self) -> bool {
        self.packable() && !matches!(self, Self::Double | Self::Float | Self::Enum) || self == Self::String
    }
}

/// How often a field may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Singular,
    Repeated,
    Map,
}

/// A field in no oneof.
pub(crate) const NO_ONEOF: u32 = u32::MAX;

/// A field.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "five independent facts of one declaration")]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// The tag of one value.
    pub(crate) tag: u32,
    /// The tag of packed values, 0 when there is none.
    pub(crate) packed_tag: u32,
    /// Enum or message.
    pub(crate) target: u32,
    /// Bit of the oneof among the bits of a message: fields first, then oneofs.
    pub(crate) oneof: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// Without presence: the default is not written.
    pub(crate) implicit: bool,
    pub(crate) required: bool,
    /// Values are written packed.
    pub(crate) packed: bool,
    /// The enum is `google.protobuf.NullValue`, or the message `google.protobuf.Value`: JSON null is a value.
    pub(crate) nullable: bool,
    /// `google.protobuf.Value.number_value`: NaN and infinities have no JSON.
    pub(crate) finite: bool,
    /// The tag as it is written.
    pub(crate) written_tag: [u8; 8],
    pub(crate) written_len: u8,
    /// `,"name":`
    pub(crate) json_key: Text,
    pub(crate) original_key: Text,
}

/// A message's JSON form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object of fields.
    Plain,
    /// `message_set_wire_format`: an object of extensions.
    MessageSet,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    /// `google.protobuf.*Value`: the JSON of field 1.
    Wrapper,
    /// The JSON of field 1, a map.
    Struct,
    /// The JSON of field 1, repeated.
    ListValue,
    /// The JSON of the one field that is set.
    Value,
    /// An object without fields; inside an `Any` its `value` is tolerated.
    Empty,
}

impl Form {
    /// Whether an `Any` holds this form as `value`.
    pub(crate) fn is_special(self) -> bool {
        !matches!(self, Self::Plain | Self::MessageSet | Self::Empty)
    }
}

/// A message type.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    /// First row in `Schema::fields`.
    pub(crate) first: u32,
    /// Number of fields.
    pub(crate) count: u32,
    /// Number of oneofs.
    pub(crate) oneofs: u32,
    /// Range of `Schema::dense`: start, length.
    pub(crate) dense: (u32, u32),
    pub(crate) names: Table,
    pub(crate) form: Form,
    /// Some field is required.
    pub(crate) required: bool,
}

/// An enum type.
#[derive(Clone, Copy)]
pub(crate) struct Enum {
    /// Range of the values by number, one name each: start, length.
    pub(crate) values: (u32, u32),
    /// Range of all values, aliases too.
    pub(crate) all: (u32, u32),
    pub(crate) names: Table,
    /// A number without a name is no value of the enum.
    pub(crate) closed: bool,
    /// `google.protobuf.NullValue`.
    pub(crate) null: bool,
}
