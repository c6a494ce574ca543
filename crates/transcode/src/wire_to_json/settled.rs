//! The way for fields in any order: index first, print then.

use super::scalar::{SCALAR_ROOM, Scalar, narrow};
use super::{Halt, Printer};
use crate::error::Step;
use crate::schema::{Field, FieldIndex, Form, Kind, Message, NO_ONEOF, Shape};
use crate::wire;

/// A field on the wire.
#[derive(Clone, Copy)]
pub(super) struct Record {
    /// Local index; [`DEAD`] when another value replaced this one.
    index: u32,
    tag: u32,
    /// The value, without length.
    start: usize,
    end: usize,
}

/// The index of a record that does not count.
const DEAD: u32 = u32::MAX;
/// A oneof whose last member is known and whose earlier ones are dead.
const CLOSED: u32 = u32::MAX - 1;

impl Printer<'_> {
    pub(super) fn settled_object(&mut self, message: &Message, base: usize) -> Result<(), Halt> {
        let mark = self.out.pos();
        self.settled_fields::<false>(message, base)?;
        self.close(mark, b'{', b'}')
    }

    /// Prints a message set, whose items are groups of type id and message.
    pub(super) fn message_set(&mut self, message: &Message, base: usize) -> Result<(), Halt> {
        self.settled_object(message, base)
    }

    /// Prints the fields of the message whose pieces are the spans from `base`.
    pub(super) fn settled_fields<const BARE: bool>(&mut self, message: &Message, base: usize) -> Result<(), Halt> {
        let first = self.records.len();
        for span in base..self.spans.len() {
            let (start, end) = self.spans[span];
            self.index(message, start, end)?;
        }
        if message.oneofs > 0 {
            self.settle_oneofs(message, first);
        }
        self.records[first..].sort_unstable_by_key(|record| (record.index, record.start));
        let fields = self.schema.fields_of(message);
        let defaults = self.options.defaults && !BARE;
        let (mut at, mut next, last) = (first, 0, self.records.len());
        while at < last && self.records[at].index != DEAD {
            let index = self.records[at].index;
            let run = self.records[at..last].iter().take_while(|record| record.index == index).count();
            if defaults {
                self.defaults(&fields[next..index as usize])?;
            }
            self.run::<BARE>(&fields[index as usize], at, at + run)
                .map_err(|halt| halt.within(Step::Field(FieldIndex(message.first + index))))?;
            next = index as usize + 1;
            at += run;
        }
        if defaults {
            self.defaults(&fields[next..])?;
        }
        self.records.truncate(first);
        Ok(())
    }

    /// Prints the value of one field of the message whose pieces are the spans from `base`; whether it is there.
    pub(super) fn settled_only(&mut self, message: &Message, field: &Field, base: usize) -> Result<bool, Halt> {
        let first = self.records.len();
        for span in base..self.spans.len() {
            let (start, end) = self.spans[span];
            self.index(message, start, end)?;
        }
        self.settle_oneofs(message, first);
        let fields = self.schema.fields_of(message);
        self.records.retain(|record| record.index != DEAD && fields[record.index as usize].number == field.number);
        let last = self.records.len();
        let mark = self.out.pos();
        if last > first {
            self.run::<true>(field, first, last)?;
        }
        self.records.truncate(first);
        Ok(self.out.pos() > mark)
    }

    /// Adds the known fields of a piece to the records.
    fn index(&mut self, message: &Message, mut pos: usize, end: usize) -> Result<(), Halt> {
        let schema = self.schema;
        let fields = schema.fields_of(message);
        let wire = &self.wire[..end];
        while pos < end {
            let at = pos;
            let tag = wire::tag(wire, &mut pos)?;
            let (start, stop) = self.value_span(tag, &mut pos, end).map_err(|halt| halt.at(at))?;
            if message.form == Form::MessageSet && tag == (1 << 3 | wire::START_GROUP) {
                self.index_item(message, start, stop)?;
                continue;
            }
            let Some(index) = schema.field_by_number(message, tag >> 3) else { continue };
            let field = &fields[index];
            if field.tag != tag && field.packed_tag != tag {
                continue;
            }
            if field.kind == Kind::Enum && field.shape == Shape::Singular {
                let value = Scalar::read(wire, &mut start.clone(), Kind::Enum)?;
                if !self.is_enum_value(field, value) {
                    continue;
                }
            }
            self.records.push(Record { index: index as u32, tag, start, end: stop });
        }
        Ok(())
    }

    /// Moves behind a value; returns where it lies, without length or end tag.
    fn value_span(&self, tag: u32, pos: &mut usize, end: usize) -> Result<(usize, usize), Halt> {
        let wire = &self.wire[..end];
        let start = *pos;
        Ok(match tag & 7 {
            wire::LEN => {
                let stop = wire::length(wire, pos)?;
                (std::mem::replace(pos, stop), stop)
            }
            wire::START_GROUP => (start, wire::group_end(wire, pos, tag, self.depth)?),
            _ => {
                wire::skip(wire, pos, tag, self.depth)?;
                (start, *pos)
            }
        })
    }

    /// Adds the item of a message set to the records.
    fn index_item(&mut self, message: &Message, mut pos: usize, end: usize) -> Result<(), Halt> {
        let mut number = 0;
        let mut content = (end, end);
        while pos < end {
            let tag = wire::tag(&self.wire[..end], &mut pos)?;
            let span = self.value_span(tag, &mut pos, end)?;
            if tag == (2 << 3 | wire::VARINT) {
                number = wire::varint(&self.wire[..end], &mut span.0.clone())? as u32;
            } else if tag == (3 << 3 | wire::LEN) {
                content = span;
            }
        }
        if let Some(index) = self.schema.field_by_number(message, number) {
            let tag = self.schema.fields_of(message)[index].tag;
            self.records.push(Record { index: index as u32, tag, start: content.0, end: content.1 });
        }
        Ok(())
    }

    /// Of each oneof only the last member counts, with the values it was set to since another was.
    fn settle_oneofs(&mut self, message: &Message, first: usize) {
        let fields = self.schema.fields_of(message);
        let base = self.winners.len();
        self.winners.resize(base + message.oneofs as usize, DEAD);
        for record in self.records[first..].iter_mut().rev() {
            let oneof = fields[record.index as usize].oneof;
            if oneof == NO_ONEOF {
                continue;
            }
            let winner = &mut self.winners[base + (oneof - message.count) as usize];
            if *winner == DEAD {
                *winner = record.index;
            } else if *winner != record.index {
                *winner = CLOSED;
            }
            if *winner == CLOSED {
                record.index = DEAD;
            }
        }
        self.winners.truncate(base);
    }

    /// Prints a field from its records.
    fn run<const BARE: bool>(&mut self, field: &Field, from: usize, to: usize) -> Result<(), Halt> {
        match field.shape {
            Shape::Singular if matches!(field.kind, Kind::Message | Kind::Group) => {
                self.key::<BARE>(field)?;
                let base = self.spans.len();
                for at in from..to {
                    let Record { start, end, .. } = self.records[at];
                    self.spans.push((start, end));
                }
                self.pieces(field.target, base)?;
                self.spans.truncate(base);
                Ok(())
            }
            Shape::Singular => {
                let scalar = self.recorded(field, to - 1)?;
                self.singular::<BARE>(field, scalar)
            }
            Shape::Repeated => self.list_run::<BARE>(field, from, to, b'[', b']'),
            Shape::Map => {
                self.settle_keys(field, from, to)?;
                self.list_run::<BARE>(field, from, to, b'{', b'}')
            }
        }
    }

    /// The value of a record.
    fn recorded(&self, field: &Field, at: usize) -> Result<Scalar, Halt> {
        let Record { start, end, .. } = self.records[at];
        if field.kind.packable() {
            return Ok(Scalar::read(&self.wire[..end], &mut start.clone(), field.kind)?);
        }
        Ok(Scalar::Range(start, end))
    }

    fn list_run<const BARE: bool>(
        &mut self,
        field: &Field,
        from: usize,
        to: usize,
        opening: u8,
        closing: u8,
    ) -> Result<(), Halt> {
        let before = self.out.pos();
        self.key::<BARE>(field)?;
        let mark = self.out.pos();
        let mut count = 0;
        for at in from..to {
            let record = self.records[at];
            self.out.room(SCALAR_ROOM)?;
            if record.index == DEAD {
                continue;
            }
            if field.shape == Shape::Map {
                self.entry(field, record.start, record.end).map_err(|halt| halt.within(Step::Entry(count)))?;
            } else if field.packed_tag == record.tag {
                let (mut pos, end) = (record.start, record.end);
                self.packed_values(field, &mut pos, end, &mut count)?;
            } else if matches!(field.kind, Kind::Message | Kind::Group) {
                self.out.byte(b',');
                self.message(field.target, record.start, record.end).map_err(|halt| halt.within(Step::Element(count)))?;
            } else {
                let scalar = self.recorded(field, at)?;
                self.scalar_element(field, scalar).map_err(|halt| halt.within(Step::Element(count)))?;
            }
            count += 1;
        }
        if self.out.pos() == mark && !BARE && !self.options.defaults {
            self.out.rewind(before);
            return Ok(());
        }
        self.close(mark, opening, closing)
    }

    /// Of entries with one key the last counts.
    fn settle_keys(&mut self, field: &Field, from: usize, to: usize) -> Result<(), Halt> {
        let schema = self.schema;
        let [key, value] = schema.fields_of(schema.get(field.target)) else { return Ok(()) };
        let first = self.hashes.len();
        for at in from..to {
            let base = self.spans.len();
            let entry = self.read_entry(key, value, self.records[at].start, self.records[at].end)?;
            self.spans.truncate(base);
            if value.kind == Kind::Enum && !self.is_enum_value(value, entry.value) {
                self.records[at].index = DEAD;
                continue;
            }
            let hash = self.key_hash(key.kind, entry.key);
            self.hashes.push((hash, at));
        }
        self.hashes[first..].sort_unstable();
        for later in first + 1..self.hashes.len() {
            let (hash, at) = self.hashes[later];
            let mut earlier = later;
            while earlier > first && self.hashes[earlier - 1].0 == hash {
                earlier -= 1;
                let other = self.hashes[earlier].1;
                if self.records[other].index != DEAD && self.same_key(key, value, other, at)? {
                    self.records[other].index = DEAD;
                    break;
                }
            }
        }
        self.hashes.truncate(first);
        Ok(())
    }

    /// Whether two records are entries with one key.
    fn same_key(&mut self, key: &Field, value: &Field, a: usize, b: usize) -> Result<bool, Halt> {
        let base = self.spans.len();
        let (a, b) = (self.records[a], self.records[b]);
        let a = self.read_entry(key, value, a.start, a.end)?;
        let b = self.read_entry(key, value, b.start, b.end)?;
        self.spans.truncate(base);
        Ok(match (a.key, b.key) {
            (Scalar::Range(a, a_end), Scalar::Range(b, b_end)) => self.wire[a..a_end] == self.wire[b..b_end],
            (Scalar::Bits(a), Scalar::Bits(b)) => narrow(key.kind, a) == narrow(key.kind, b),
            _ => false,
        })
    }
}
