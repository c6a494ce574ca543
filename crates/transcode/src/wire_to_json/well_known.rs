//! Well-known types that have a text form, and `Any`. They are read field by field, the last value winning, so any
//! order of their few fields will do.

use super::scalar::{SCALAR_ROOM, Scalar};
use super::{Halt, Printer};
use crate::error::{Reason, Step};
use crate::schema::{Field, Kind};
use crate::well_known::{duration, field_mask, timestamp};
use crate::wire;

impl Printer<'_> {
    pub(super) fn timestamp(&mut self, base: usize) -> Result<(), Halt> {
        let (seconds, nanos) = self.seconds_and_nanos(base)?;
        self.text.clear();
        timestamp::print(seconds, nanos, &mut self.text).ok_or(Reason::InvalidTimestamp)?;
        self.quoted_text()
    }

    pub(super) fn duration(&mut self, base: usize) -> Result<(), Halt> {
        let (seconds, nanos) = self.seconds_and_nanos(base)?;
        self.text.clear();
        duration::print(seconds, nanos, &mut self.text).ok_or(Reason::InvalidDuration)?;
        self.quoted_text()
    }

    /// Prints text that needs no escapes.
    fn quoted_text(&mut self) -> Result<(), Halt> {
        self.out.room(self.text.len() + 2)?;
        self.out.byte(b'"');
        self.out.bytes(&self.text)?;
        self.out.byte(b'"');
        Ok(())
    }

    /// Calls `each` with the tag and value of every field that is a varint or has a length.
    fn each_field(&mut self, base: usize, mut each: impl FnMut(&mut Self, u32, Scalar) -> Result<(), Halt>) -> Result<(), Halt> {
        for span in base..self.spans.len() {
            let (mut pos, end) = self.spans[span];
            let wire = &self.wire[..end];
            while pos < end {
                let tag = wire::tag(wire, &mut pos)?;
                match tag & 7 {
                    wire::VARINT => {
                        let value = Scalar::read(wire, &mut pos, Kind::Uint64)?;
                        each(self, tag, value)?;
                    }
                    wire::LEN => {
                        let value = Scalar::read(wire, &mut pos, Kind::Bytes)?;
                        each(self, tag, value)?;
                    }
                    _ => wire::skip(wire, &mut pos, tag, self.depth)?,
                }
            }
        }
        Ok(())
    }

    fn seconds_and_nanos(&mut self, base: usize) -> Result<(i64, i32), Halt> {
        let (mut seconds, mut nanos) = (0, 0);
        self.each_field(base, |_, tag, value| {
            match (tag >> 3, value) {
                (1, Scalar::Bits(bits)) => seconds = bits as i64,
                (2, Scalar::Bits(bits)) => nanos = bits as i32,
                _ => {}
            }
            Ok(())
        })?;
        Ok((seconds, nanos))
    }

    /// Prints the paths of a mask, joined by commas.
    pub(super) fn field_mask(&mut self, base: usize) -> Result<(), Halt> {
        self.out.room(2)?;
        let mark = self.out.pos();
        self.out.byte(b'"');
        self.each_field(base, |printer, tag, value| {
            if let (1, Scalar::Range(start, end)) = (tag >> 3, value) {
                let comma = printer.out.pos() > mark + 1;
                printer.path(start, end, comma)?;
            }
            Ok(())
        })?;
        self.out.room(2)?;
        self.out.byte(b'"');
        Ok(())
    }

    fn path(&mut self, start: usize, end: usize, comma: bool) -> Result<(), Halt> {
        self.text.clear();
        if comma {
            self.text.push(b',');
        }
        let path = &self.wire[start..end];
        field_mask::to_camel(path, &mut self.text).ok_or(Reason::InvalidFieldMask)?;
        Ok(self.out.bytes(&self.text)?)
    }

    /// Prints an `Any`: `@type`, then what it holds, or `value` when that has no fields of its own.
    pub(super) fn any(&mut self, base: usize) -> Result<(), Halt> {
        let (mut url, mut value) = ((0, 0), (0, 0));
        self.each_field(base, |_, tag, scalar| {
            match (tag >> 3, scalar) {
                (1, Scalar::Range(start, end)) => url = (start, end),
                (2, Scalar::Range(start, end)) => value = (start, end),
                _ => {}
            }
            Ok(())
        })?;
        if url.0 == url.1 {
            return if value.0 == value.1 { Ok(self.out.bytes(b"{}")?) } else { Err(Reason::MissingType.into()) };
        }
        let target = self.resolve(&self.wire[url.0..url.1]).ok_or(Reason::UnknownType)?;
        self.out.bytes(b"{\"@type\":")?;
        self.string(url.0, url.1)?;
        let message = self.schema.get(target);
        let inside = |halt: Halt| halt.within(Step::AnyValue);
        if message.form.is_special() {
            self.out.bytes(b",\"value\":")?;
            self.message(target, value.0, value.1).map_err(inside)?;
        } else {
            // The members follow `@type` behind the comma that would otherwise become their brace.
            let mark = self.out.pos();
            self.message(target, value.0, value.1).map_err(inside)?;
            let empty = self.out.pos() == mark + 2;
            if empty {
                self.out.rewind(mark);
            } else {
                self.out.patch(mark, b',');
                self.out.rewind(self.out.pos() - 1);
            }
        }
        self.out.room(SCALAR_ROOM)?;
        self.out.byte(b'}');
        Ok(())
    }

    /// The type that a URL names by its last segment.
    fn resolve(&self, url: &[u8]) -> Option<u32> {
        let slash = memchr::memrchr(b'/', url)?;
        let name = std::str::from_utf8(&url[slash + 1..]).ok()?;
        self.schema.message(name).map(|id| id.0)
    }

    /// Prints one field of a message and nothing else: its default when it is absent, `null` for a message.
    pub(super) fn only_field(&mut self, id: u32, field: &Field) -> Result<(), Halt> {
        let message = *self.schema.get(id);
        let base = self.spans.len();
        self.spans.push((0, self.wire.len()));
        let printed = self.settled_only(&message, field, base)?;
        self.spans.truncate(base);
        if !printed {
            self.absent(field)?;
        }
        Ok(())
    }

    fn absent(&mut self, field: &Field) -> Result<(), Halt> {
        use crate::schema::Shape;
        match (field.shape, field.kind) {
            (Shape::Repeated, _) => self.out.bytes(b"[]")?,
            (Shape::Map, _) => self.out.bytes(b"{}")?,
            (Shape::Singular, Kind::Message | Kind::Group) => self.out.bytes(b"null")?,
            (Shape::Singular, kind) => {
                self.out.room(SCALAR_ROOM)?;
                self.scalar(field, Scalar::default_of(kind, 0))?;
            }
        }
        Ok(())
    }
}
