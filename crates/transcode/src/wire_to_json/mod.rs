//! Wire bytes to JSON in one pass.
//!
//! A serializer writes each field once, in one run and mostly in ascending order; then JSON can be printed as the
//! bytes are read. The format allows more: fields torn apart, scalars set twice, messages to merge, map keys
//! repeated. The printer notices that ([`Halt::Unordered`]), drops what it wrote and starts over in the *settled*
//! way: each message is indexed first, its fields are sorted, the last value wins, and the pieces of a message are
//! read as one. Both ways are linear in the input, and there are at most two passes.
//!
//! Functions that take part in the recursion are inlined by force in optimised builds only. Without optimisation an
//! inlined body keeps its own place on the stack, and the deepest message would not fit a thread's.

mod fields;
mod order;
mod scalar;
mod settled;
mod well_known;

use crate::error::{Error, Fault, Reason, Step};
use crate::keys::Keys;
use crate::options::PrintOptions;
use crate::output::Output;
use crate::schema::{Field, Form, MessageId, Schema};
use settled::Record;

/// Appends the JSON of a message on the wire to `out`. On an error `out` is as it was.
///
/// # Errors
/// Bytes that are not wire data or hold what has no JSON: text that is not UTF-8, an `Any` of unknown type, a time
/// out of range. The error names path, offset and reason.
pub fn wire_to_json(
    schema: &Schema,
    message: MessageId,
    wire: &[u8],
    options: &PrintOptions,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    print(schema, wire, options, out, |printer| printer.message(message.0, 0, wire.len()))
}

/// Appends the JSON of one field of a message; of an absent one, the JSON of its default: `null` for a message.
pub(crate) fn field_to_json(
    schema: &Schema,
    message: MessageId,
    field: &Field,
    wire: &[u8],
    options: &PrintOptions,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    print(schema, wire, options, out, |printer| printer.only_field(message.0, field))
}

fn print(
    schema: &Schema,
    wire: &[u8],
    options: &PrintOptions,
    out: &mut Vec<u8>,
    value: impl Fn(&mut Printer<'_>) -> Result<(), Halt>,
) -> Result<(), Error> {
    if wire.len() > options.limits.input.min(u32::MAX as usize) {
        return Err(Fault::new(Reason::TooLarge).resolve(schema, 0));
    }
    let estimate = wire.len() * 3 + 64;
    let mut printer = Printer {
        schema,
        wire,
        options,
        depth: options.limits.depth,
        out: Output::append(out, estimate, options.limits.output),
        settled: false,
        spans: Vec::new(),
        records: Vec::new(),
        winners: Vec::new(),
        hashes: Vec::new(),
        keys: Keys::default(),
        text: Vec::new(),
    };
    let start = printer.out.pos();
    let mut result = value(&mut printer);
    if matches!(result, Err(Halt::Unordered)) {
        printer.start_over(start);
        result = value(&mut printer);
    }
    let result = result.map_err(|halt| match halt {
        Halt::Fault(fault) => fault,
        // The settled way takes any order.
        Halt::Unordered => Fault::new(Reason::InvalidTag),
    });
    let result = result.and_then(|()| Ok(printer.out.check_limit()?));
    printer.out.finish(out, result.is_ok());
    result.map_err(|fault| fault.resolve(schema, wire.len()))
}

/// Why printing stopped.
enum Halt {
    /// The fields are not in the order of a serializer.
    Unordered,
    /// The input is wrong.
    Fault(Fault),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Reason> for Halt {
    #[cold]
    fn from(reason: Reason) -> Self {
        Self::Fault(reason.into())
    }
}

impl Halt {
    #[cold]
    fn within(self, step: Step) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(fault.within(step)),
            Self::Unordered => self,
        }
    }

    #[cold]
    fn at(self, offset: usize) -> Self {
        match self {
            Self::Fault(fault) => Self::Fault(fault.at(offset)),
            Self::Unordered => self,
        }
    }
}

/// The wire being read and the text being written.
struct Printer<'a> {
    schema: &'a Schema,
    wire: &'a [u8],
    options: &'a PrintOptions,
    /// Levels left.
    depth: usize,
    out: Output,
    /// Messages are indexed before they are printed.
    settled: bool,
    /// The pieces of the messages that are open, where they lie on the wire.
    spans: Vec<(usize, usize)>,
    /// The fields of the messages that are open, in the settled way.
    records: Vec<Record>,
    /// The last member of each oneof of a message, while its records are settled.
    winners: Vec<u32>,
    /// Hash and record of the entries of a map, while its keys are settled.
    hashes: Vec<(u64, usize)>,
    keys: Keys,
    /// Text of one timestamp, duration or mask.
    text: Vec<u8>,
}

impl Printer<'_> {
    fn start_over(&mut self, start: usize) {
        self.out.rewind(start);
        self.depth = self.options.limits.depth;
        self.spans.clear();
        self.records.clear();
        self.keys.clear();
        self.settled = true;
    }

    /// Goes one level down.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn enter(&mut self) -> Result<(), Halt> {
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

    /// Prints the message in `wire[start..end]`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn message(&mut self, id: u32, start: usize, end: usize) -> Result<(), Halt> {
        let message = self.schema.get(id);
        if message.form == Form::Plain && !self.settled {
            return self.object(message, start, end);
        }
        self.special_message(id, start, end)
    }

    #[inline(never)]
    fn special_message(&mut self, id: u32, start: usize, end: usize) -> Result<(), Halt> {
        let base = self.spans.len();
        self.spans.push((start, end));
        self.pieces(id, base)?;
        self.spans.truncate(base);
        Ok(())
    }

    /// Prints the message whose pieces are the spans from `base`.
    fn pieces(&mut self, id: u32, base: usize) -> Result<(), Halt> {
        let message = self.schema.get(id);
        // What JSON writes as one value is no level of its own.
        let level = usize::from(!matches!(message.form, Form::Wrapper | Form::Value));
        self.depth = self.depth.checked_sub(level).ok_or(Reason::TooDeep)?;
        match message.form {
            Form::Plain | Form::Empty if self.settled => self.settled_object(message, base),
            Form::Plain | Form::Empty => {
                let (start, end) = self.spans[base];
                self.depth += 1;
                let result = self.object(message, start, end);
                self.depth -= 1;
                result
            }
            Form::MessageSet => self.message_set(message, base),
            Form::Any => self.any(base),
            Form::Timestamp => self.timestamp(base),
            Form::Duration => self.duration(base),
            Form::FieldMask => self.field_mask(base),
            Form::Wrapper | Form::Struct | Form::ListValue | Form::Value => self.bare(message, base),
        }?;
        self.depth += level;
        Ok(())
    }
}
