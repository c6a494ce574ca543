//! What is refused, where, and why.
//!
//! An error tells the JSON path or the byte offset and a reason. It never repeats the input: a value may be a
//! secret, and errors are logged. The one thing taken from the input is the *name* of an unknown field, when it
//! looks like a field name; map keys are shown by their position.

use std::fmt;

use crate::schema::{FieldIndex, Schema};

/// Why JSON or wire bytes were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The text, or a `string` field on the wire, is not UTF-8.
    #[error("not valid UTF-8")]
    InvalidUtf8,
    /// The text is not JSON (RFC 8259).
    #[error("invalid JSON: expected {0}")]
    Syntax(&'static str),
    /// The text ends inside a value.
    #[error("invalid JSON: unexpected end")]
    UnexpectedEnd,
    /// Something follows the value.
    #[error("invalid JSON: unexpected text after the value")]
    TrailingData,
    /// A control character stands unescaped in a string.
    #[error("invalid JSON: control character in a string")]
    ControlCharacter,
    /// A backslash is followed by something RFC 8259 does not know.
    #[error("invalid JSON: invalid escape in a string")]
    InvalidEscape,
    /// `\uD800` to `\uDFFF` without its other half.
    #[error("invalid JSON: unpaired surrogate in a string")]
    UnpairedSurrogate,
    /// Nested deeper than the limit.
    #[error("nested too deeply")]
    TooDeep,
    /// Input or output is larger than the limit.
    #[error("too large")]
    TooLarge,
    /// The message has no such field.
    #[error("unknown field")]
    UnknownField,
    /// The field occurs twice in one object.
    #[error("field occurs twice")]
    DuplicateField,
    /// A map or a `Struct` has this key twice.
    #[error("key occurs twice")]
    DuplicateKey,
    /// Another field of the same oneof is set.
    #[error("another field of the same oneof is set")]
    OneofConflict,
    /// The JSON value has another type.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The number does not fit the field's type.
    #[error("number out of range")]
    OutOfRange,
    /// The number has a fraction.
    #[error("expected an integer")]
    NotInteger,
    /// Neither base64 nor base64url.
    #[error("invalid base64")]
    InvalidBase64,
    /// The enum has no value of this name.
    #[error("unknown enum value")]
    UnknownEnumValue,
    /// Not an RFC 3339 time between the years 1 and 9999.
    #[error("invalid timestamp")]
    InvalidTimestamp,
    /// Not a duration of at most 315,576,000,000 seconds.
    #[error("invalid duration")]
    InvalidDuration,
    /// A field mask path that cannot be translated and back.
    #[error("invalid field mask")]
    InvalidFieldMask,
    /// `null` stands where a value must.
    #[error("null is not allowed here")]
    UnexpectedNull,
    /// A proto2 `required` field is missing.
    #[error("required field is missing")]
    MissingRequired,
    /// An `Any` without `@type`.
    #[error("\"@type\" is missing")]
    MissingType,
    /// An `Any` of a type that the schema does not hold.
    #[error("unknown message type in \"@type\"")]
    UnknownType,
    /// `google.protobuf.Value` without a kind.
    #[error("value has no kind")]
    MissingKind,
    /// NaN or an infinity in `google.protobuf.Value`.
    #[error("number is not finite")]
    NotFinite,
    /// The wire bytes end inside a field.
    #[error("truncated wire data")]
    Truncated,
    /// Longer than ten bytes.
    #[error("invalid varint on the wire")]
    InvalidVarint,
    /// Field number 0 or wire type 6 or 7.
    #[error("invalid tag on the wire")]
    InvalidTag,
    /// A group without its end, or an end without its group.
    #[error("unbalanced group on the wire")]
    UnbalancedGroup,
}

/// Why a translation failed, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Detail>);

#[derive(Clone, PartialEq, Eq)]
struct Detail {
    reason: Reason,
    path: String,
    /// The path in the names of the `.proto` file, where it differs.
    original: Option<String>,
    offset: Option<usize>,
}

impl Error {
    /// The reason.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// The path in JSON names, such as `order.lines[2].quantity`; empty for the whole message. Map entries stand by
    /// position, `labels{0}`, because their keys are input.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The same path in the names of the `.proto` file, such as `order.unit_price`.
    pub fn original_path(&self) -> &str {
        self.0.original.as_deref().unwrap_or(&self.0.path)
    }

    /// The byte of the input at which reading stopped; nothing for a value that came from path or query.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The same error seen from the message that holds the value as `field`.
    #[must_use]
    pub fn within(self, field: &str) -> Self {
        self.within_field(field, field)
    }

    /// The same with the field's name in the `.proto` file beside its name in JSON.
    #[must_use]
    pub(crate) fn within_field(mut self, json: &str, original: &str) -> Self {
        let join = |field: &str, path: &str| {
            let separator = if path.is_empty() || path.starts_with(['[', '{']) { "" } else { "." };
            format!("{field}{separator}{path}")
        };
        self.0.original = Some(join(original, self.original_path()));
        self.0.path = join(json, &self.0.path);
        self
    }

    pub(crate) fn new(reason: Reason, path: String, offset: Option<usize>) -> Self {
        Self(Box::new(Detail { reason, path, original: None, offset }))
    }

    pub(crate) fn with_original(mut self, original: String) -> Self {
        self.0.original = Some(original);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.0.path)?;
        }
        write!(f, "{}", self.0.reason)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

/// A failure on its way up: each level adds its step, so success pays nothing for paths.
#[derive(Debug)]
pub(crate) struct Fault(Box<FaultDetail>);

#[derive(Debug)]
struct FaultDetail {
    reason: Reason,
    /// Where, when that is not where reading stopped.
    offset: Option<usize>,
    /// Innermost first.
    steps: Vec<Step>,
}

/// One step of a JSON path.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A field of the schema.
    Field(FieldIndex),
    /// An element of an array.
    Element(usize),
    /// An entry of a map.
    Entry(usize),
    /// A name that the schema does not hold.
    Unknown(String),
    /// The `value` of an `Any`.
    AnyValue,
}

pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<Reason> for Fault {
    #[cold]
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl Fault {
    #[cold]
    pub(crate) fn new(reason: Reason) -> Self {
        Self(Box::new(FaultDetail { reason, offset: None, steps: Vec::new() }))
    }

    /// Adds a step of the path.
    #[cold]
    pub(crate) fn within(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// Says where, unless something further in already did.
    #[cold]
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The step of an unknown name: the name itself when it is shaped like one, nothing of it otherwise.
    #[cold]
    pub(crate) fn unknown_name(reason: Reason, name: &[u8]) -> Self {
        let shaped = name.len() <= 64
            && name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
            && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let name = if shaped { name.iter().map(|b| char::from(*b)).collect() } else { "?".to_owned() };
        Self::new(reason).within(Step::Unknown(name))
    }

    /// The public error; reading stopped at `offset`.
    #[cold]
    pub(crate) fn resolve(self, schema: &Schema, offset: usize) -> Error {
        let path = self.path(|field| schema.field_json_name(field));
        let original = self.path(|field| schema.field_original_name(schema.field(field)));
        Error::new(self.0.reason, path, Some(self.0.offset.unwrap_or(offset))).with_original(original)
    }

    fn path<'s>(&self, name: impl Fn(FieldIndex) -> &'s str) -> String {
        let mut path = String::new();
        for step in self.0.steps.iter().rev() {
            match step {
                Step::Element(index) => path.extend(["[", &index.to_string(), "]"]),
                Step::Entry(index) => path.extend(["{", &index.to_string(), "}"]),
                Step::Field(field) => push_name(&mut path, name(*field)),
                Step::Unknown(name) => push_name(&mut path, name),
                Step::AnyValue => push_name(&mut path, "value"),
            }
        }
        path
    }
}

fn push_name(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}
