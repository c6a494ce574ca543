//! JSON to wire bytes in one pass (protobuf.dev/programming-guides/json).
//!
//! The reader walks the text once and writes each value where it belongs; a length that needs more than the one byte
//! kept for it moves its content by the missing bytes. There is no tree and no message in between: what must be
//! remembered (fields seen, hashes of map keys) lies on two stacks that all levels share.
//!
//! Functions that take part in the recursion are inlined by force in optimised builds only. Without optimisation an
//! inlined body keeps its own place on the stack, and the deepest message would not fit a thread's.

mod any;
mod mask;
mod object;
mod scalar;
mod scan;
mod well_known;

use crate::error::{Error, Fault, Reason, Result};
use crate::keys::Keys;
use crate::options::ReadOptions;
use crate::output::Output;
use crate::schema::{Field, MessageId, Schema};

pub(crate) use scan::special;

/// Appends the wire form of a JSON message to `out`. On an error `out` is as it was.
///
/// # Errors
/// Text that is not JSON, or does not fit the message; the error names path, offset and reason.
pub fn json_to_wire(
    schema: &Schema,
    message: MessageId,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    read(schema, json, options, out, |reader| reader.message(message.0))
}

/// Appends one field, tag included, whose JSON value is the whole of `json`. `null` is the absent field.
pub(crate) fn json_to_field(
    schema: &Schema,
    field: &Field,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    read(schema, json, options, out, |reader| reader.field(field))
}

/// Appends the `google.protobuf.FieldMask` of the fields that a JSON message holds.
pub(crate) fn json_to_mask(
    schema: &Schema,
    message: MessageId,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    read(schema, json, options, out, |reader| reader.mask(message.0))
}

fn read(
    schema: &Schema,
    json: &[u8],
    options: &ReadOptions,
    out: &mut Vec<u8>,
    value: impl FnOnce(&mut Reader<'_>) -> Result<()>,
) -> Result<(), Error> {
    if json.len() > options.limits.input.min(u32::MAX as usize) {
        return Err(Fault::new(Reason::TooLarge).resolve(schema, 0));
    }
    if let Err(invalid) = simdutf8::compat::from_utf8(json) {
        return Err(Fault::new(Reason::InvalidUtf8).resolve(schema, invalid.valid_up_to()));
    }
    let mut reader = Reader {
        schema,
        json,
        pos: 0,
        options,
        depth: options.limits.depth,
        out: Output::append(out, json.len(), options.limits.output.min(u32::MAX as usize)),
        followers: [0; FOLLOWERS],
        seen: Vec::new(),
        keys: Keys::default(),
        lookahead: json.len().saturating_mul(LOOKAHEAD),
        scratch: Vec::new(),
        text: Vec::new(),
    };
    let result = reader.whole(value);
    let offset = reader.pos.min(json.len());
    reader.out.finish(out, result.is_ok());
    result.map_err(|fault| fault.resolve(schema, offset))
}

/// What a value left on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// The default of its type.
    Default,
    /// Another value.
    Value,
    /// Nothing: an enum name that is unknown and ignored.
    Nothing,
}

/// Places in [`Reader::followers`].
const FOLLOWERS: usize = 64;

/// How often a text may be read ahead as a whole: an `Any` in an `Any`, each with its `@type` at the end, reads the
/// inner ones once a level.
const LOOKAHEAD: usize = 16;

/// The text being read and the wire being written.
struct Reader<'a> {
    schema: &'a Schema,
    json: &'a [u8],
    pos: usize,
    options: &'a ReadOptions,
    /// Levels left.
    depth: usize,
    out: Output,
    /// One more than the index of what followed each field the last time, as far as the few places tell fields apart;
    /// see [`Reader::guess`].
    followers: [u16; FOLLOWERS],
    /// Bits of the fields and oneofs seen, for each open object.
    seen: Vec<u64>,
    keys: Keys,
    /// Bytes that may still be read ahead in search of `@type`.
    lookahead: usize,
    /// Unescaped text of one string.
    scratch: Vec<u8>,
    /// Text made of one string.
    text: Vec<u8>,
}

impl Reader<'_> {
    /// One value and nothing behind it.
    fn whole(&mut self, value: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.space();
        value(self)?;
        self.space();
        if self.pos < self.json.len() {
            return Err(Reason::TrailingData.into());
        }
        Ok(self.out.check_limit()?)
    }

    /// Goes one level down.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn enter(&mut self) -> Result<()> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(Reason::TooDeep.into()),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn leave(&mut self) {
        self.depth += 1;
    }
}
