//! The usual way: print each field as it is read.

use super::order::Order;
use super::scalar::{SCALAR_ROOM, Scalar, narrow};
use super::{Halt, Printer};
use crate::error::{Reason, Step};
use crate::schema::{Field, FieldIndex, Form, Kind, Message, Shape};
use crate::wire;

impl Printer<'_> {
    /// Prints an object. Every member begins with a comma; the first becomes the brace.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn object(&mut self, message: &Message, start: usize, end: usize) -> Result<(), Halt> {
        self.enter()?;
        let mark = self.out.pos();
        self.fields::<false>(message, start, end)?;
        self.leave();
        self.close(mark, b'{', b'}')
    }

    /// Turns the comma at `mark` into the opening bracket, and closes.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn close(&mut self, mark: usize, opening: u8, closing: u8) -> Result<(), Halt> {
        self.out.room(2)?;
        if self.out.pos() == mark {
            self.out.byte(opening);
        } else {
            self.out.patch(mark, opening);
        }
        self.out.byte(closing);
        Ok(())
    }

    /// Prints the fields in `wire[pos..end]`, each behind a comma. `BARE` is for types whose JSON is that of their
    /// only field: no key, and the default is printed.
    pub(super) fn fields<const BARE: bool>(&mut self, message: &Message, mut pos: usize, end: usize) -> Result<(), Halt> {
        let schema = self.schema;
        let fields = schema.fields_of(message);
        let wire = &self.wire[..end];
        let defaults = self.options.defaults && !BARE;
        let mut order = Order::default();
        let mut guess = 0;
        while pos < end {
            let at = pos;
            let tag = wire::tag(wire, &mut pos)?;
            let index = match fields.get(guess) {
                Some(field) if field.tag == tag || field.packed_tag == tag => Some(guess),
                _ => schema.field_by_number(message, tag >> 3),
            };
            let known = index.filter(|index| fields[*index].tag == tag || fields[*index].packed_tag == tag);
            let Some(index) = known else {
                wire::skip(wire, &mut pos, tag, self.depth).map_err(|reason| Halt::from(reason).at(at))?;
                continue;
            };
            guess = index + 1;
            let field = &fields[index];
            let next = order.next();
            order.take(message, field, index, defaults)?;
            if defaults {
                self.defaults(&fields[next.min(index)..index])?;
            }
            self.field::<BARE>(field, tag, &mut pos, end)
                .map_err(|halt| halt.within(Step::Field(FieldIndex(message.first + index as u32))).at(at))?;
        }
        if defaults {
            self.defaults(&fields[order.next().min(fields.len())..])?;
        }
        Ok(())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn field<const BARE: bool>(&mut self, field: &Field, tag: u32, pos: &mut usize, end: usize) -> Result<(), Halt> {
        if field.shape == Shape::Singular {
            return match field.kind {
                Kind::Message => {
                    let stop = wire::length(&self.wire[..end], pos)?;
                    let start = std::mem::replace(pos, stop);
                    self.key::<BARE>(field)?;
                    self.message(field.target, start, stop)
                }
                Kind::Group => {
                    let start = *pos;
                    let stop = wire::group_end(&self.wire[..end], pos, tag, self.depth)?;
                    self.key::<BARE>(field)?;
                    self.message(field.target, start, stop)
                }
                kind => {
                    let scalar = Scalar::read(&self.wire[..end], pos, kind)?;
                    self.singular::<BARE>(field, scalar)
                }
            };
        }
        let before = self.out.pos();
        self.key::<BARE>(field)?;
        let mark = self.out.pos();
        let (opening, closing) = if field.shape == Shape::Map { (b'{', b'}') } else { (b'[', b']') };
        if field.shape == Shape::Map {
            self.entries(field, pos, end)?;
        } else {
            self.elements(field, tag, pos, end)?;
        }
        if self.out.pos() == mark && !BARE && !self.options.defaults {
            self.out.rewind(before);
            return Ok(());
        }
        self.close(mark, opening, closing)
    }

    /// Prints `,"name":`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn key<const BARE: bool>(&mut self, field: &Field) -> Result<(), Halt> {
        if !BARE {
            let key = if self.options.original_names { field.original_key } else { field.json_key };
            self.out.room(key.len as usize + SCALAR_ROOM)?;
            self.out.copy_in_room(self.schema.text(), key.at as usize, key.len as usize);
        }
        Ok(())
    }

    /// Prints key and value, or nothing for the default of a field without presence and an unknown value of a closed
    /// enum.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn singular<const BARE: bool>(&mut self, field: &Field, scalar: Scalar) -> Result<(), Halt> {
        if field.implicit && !BARE && !self.options.defaults && scalar.is_default(field.kind) {
            return Ok(());
        }
        if field.kind == Kind::Enum && !self.is_enum_value(field, scalar) {
            return Ok(());
        }
        self.key::<BARE>(field)?;
        self.out.room(SCALAR_ROOM)?;
        self.scalar(field, scalar)
    }

    /// Prints a run of elements, each behind a comma, packed and not as they come.
    fn elements(&mut self, field: &Field, mut tag: u32, pos: &mut usize, end: usize) -> Result<(), Halt> {
        let wire = &self.wire[..end];
        let mut count = 0;
        loop {
            if tag == field.tag {
                self.element(field, tag, pos, end).map_err(|halt| halt.within(Step::Element(count)))?;
                count += 1;
            } else {
                self.packed(field, pos, end, &mut count)?;
            }
            let mut next = *pos;
            if next == end {
                return Ok(());
            }
            tag = wire::tag(wire, &mut next)?;
            if tag != field.tag && tag != field.packed_tag {
                return Ok(());
            }
            *pos = next;
        }
    }

    /// Prints one element behind a comma.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn element(&mut self, field: &Field, tag: u32, pos: &mut usize, end: usize) -> Result<(), Halt> {
        self.out.room(SCALAR_ROOM)?;
        match field.kind {
            Kind::Message => {
                let stop = wire::length(&self.wire[..end], pos)?;
                let start = std::mem::replace(pos, stop);
                self.out.byte(b',');
                self.message(field.target, start, stop)
            }
            Kind::Group => {
                let start = *pos;
                let stop = wire::group_end(&self.wire[..end], pos, tag, self.depth)?;
                self.out.byte(b',');
                self.message(field.target, start, stop)
            }
            kind => {
                let scalar = Scalar::read(&self.wire[..end], pos, kind)?;
                self.scalar_element(field, scalar)
            }
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn scalar_element(&mut self, field: &Field, scalar: Scalar) -> Result<(), Halt> {
        if field.kind == Kind::Enum && !self.is_enum_value(field, scalar) {
            return Ok(());
        }
        self.out.byte(b',');
        self.scalar(field, scalar)
    }

    /// Prints the elements of one packed field.
    fn packed(&mut self, field: &Field, pos: &mut usize, end: usize, count: &mut usize) -> Result<(), Halt> {
        let stop = wire::length(&self.wire[..end], pos)?;
        self.packed_values(field, pos, stop, count)
    }

    /// Prints the values up to `stop`, each behind a comma.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn packed_values(&mut self, field: &Field, pos: &mut usize, stop: usize, count: &mut usize) -> Result<(), Halt> {
        while *pos < stop {
            self.out.room(SCALAR_ROOM)?;
            let scalar = Scalar::read(&self.wire[..stop], pos, field.kind)?;
            self.scalar_element(field, scalar).map_err(|halt| halt.within(Step::Element(*count)))?;
            *count += 1;
        }
        Ok(())
    }

    /// Prints a run of map entries, each behind a comma.
    fn entries(&mut self, field: &Field, pos: &mut usize, end: usize) -> Result<(), Halt> {
        // An entry with a key of its own has at least four bytes.
        let base = self.keys.open(self.wire.len() / 4 + 1);
        let mut index = 0;
        loop {
            let stop = wire::length(&self.wire[..end], pos)?;
            let start = std::mem::replace(pos, stop);
            self.entry(field, start, stop).map_err(|halt| halt.within(Step::Entry(index)))?;
            index += 1;
            let mut next = *pos;
            if next == end || wire::tag(&self.wire[..end], &mut next)? != field.tag {
                break;
            }
            *pos = next;
        }
        let out = &self.out;
        if self.keys.close(base, |at| printed_key(out.since(at))) {
            // The last of them wins: the settled way knows which that is.
            return Err(Halt::Unordered);
        }
        Ok(())
    }

    /// Prints one entry behind a comma: `"key":value`.
    pub(super) fn entry(&mut self, field: &Field, start: usize, end: usize) -> Result<(), Halt> {
        let schema = self.schema;
        let [key, value] = schema.fields_of(schema.get(field.target)) else {
            return Err(Reason::Expected("a map").into());
        };
        let base = self.spans.len();
        let entry = self.read_entry(key, value, start, end)?;
        let spans = self.spans.len() - base;
        if spans > 1 && !self.settled {
            return Err(Halt::Unordered);
        }
        if value.kind == Kind::Enum && !self.is_enum_value(value, entry.value) {
            return Ok(());
        }
        let at = self.map_key(key.kind, entry.key)?;
        if !self.settled {
            let hash = self.key_hash(key.kind, entry.key);
            self.keys.push(hash, at);
        }
        self.out.room(SCALAR_ROOM)?;
        self.out.byte(b':');
        match value.kind {
            Kind::Message | Kind::Group if spans == 0 => self.message(value.target, end, end)?,
            Kind::Message | Kind::Group if spans == 1 => {
                let (start, end) = self.spans[base];
                self.message(value.target, start, end)?;
            }
            Kind::Message | Kind::Group => self.pieces(value.target, base)?,
            _ => self.scalar(value, entry.value)?,
        }
        self.spans.truncate(base);
        Ok(())
    }

    /// The hash of a key, of the bytes on the wire: those in the output were written a moment ago, and reading them
    /// back in other pieces would wait for that.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn key_hash(&mut self, kind: Kind, key: Scalar) -> u64 {
        match key {
            Scalar::Range(start, end) => self.keys.hash(&self.wire[start..end]),
            Scalar::Bits(bits) => self.keys.hash(&narrow(kind, bits).to_le_bytes()),
        }
    }

    /// Prints `,"key"` and returns where the quote stands.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn map_key(&mut self, kind: Kind, key: Scalar) -> Result<usize, Halt> {
        self.out.room(SCALAR_ROOM)?;
        self.out.byte(b',');
        let at = self.out.pos();
        match (kind, key) {
            (Kind::String, Scalar::Range(start, end)) => self.string(start, end)?,
            (_, Scalar::Bits(bits)) => {
                self.out.byte(b'"');
                self.integer_or_bool(kind, bits);
                self.out.byte(b'"');
            }
            _ => return Err(Reason::Expected("a map key").into()),
        }
        Ok(at)
    }

    /// Reads key and value of an entry; the pieces of a message value go to the spans.
    pub(super) fn read_entry(&mut self, key: &Field, value: &Field, mut pos: usize, end: usize) -> Result<Entry, Halt> {
        let wire = &self.wire[..end];
        let mut entry = Entry { key: Scalar::default_of(key.kind, end), value: self.default_value(value, end) };
        while pos < end {
            let tag = wire::tag(wire, &mut pos)?;
            if tag == key.tag {
                entry.key = Scalar::read(wire, &mut pos, key.kind)?;
            } else if tag == value.tag && value.kind == Kind::Message {
                let stop = wire::length(wire, &mut pos)?;
                self.spans.push((pos, stop));
                pos = stop;
            } else if tag == value.tag {
                entry.value = Scalar::read(wire, &mut pos, value.kind)?;
            } else {
                wire::skip(wire, &mut pos, tag, self.depth)?;
            }
        }
        Ok(entry)
    }

    /// The value of an entry without one.
    fn default_value(&self, value: &Field, end: usize) -> Scalar {
        if value.kind == Kind::Enum {
            let number = self.schema.enum_default(&self.schema.enums[value.target as usize]);
            return Scalar::Bits(i64::from(number) as u64);
        }
        Scalar::default_of(value.kind, end)
    }

    /// Prints the fields that are not there but have a default to show.
    pub(super) fn defaults(&mut self, absent: &[Field]) -> Result<(), Halt> {
        for field in absent {
            match field.shape {
                Shape::Repeated | Shape::Map => {
                    self.key::<false>(field)?;
                    self.out.bytes(if field.shape == Shape::Map { b"{}" } else { b"[]" })?;
                }
                Shape::Singular if field.implicit => {
                    self.key::<false>(field)?;
                    self.out.room(SCALAR_ROOM)?;
                    self.scalar(field, Scalar::default_of(field.kind, 0))?;
                }
                Shape::Singular => {}
            }
        }
        Ok(())
    }

    /// Prints a type whose JSON is that of its only field: the message whose pieces are the spans from `base`.
    pub(super) fn bare(&mut self, message: &Message, base: usize) -> Result<(), Halt> {
        let mark = self.out.pos();
        if self.settled {
            self.settled_fields::<true>(message, base)?;
        } else {
            let (start, end) = self.spans[base];
            self.fields::<true>(message, start, end)?;
        }
        if self.out.pos() > mark {
            return Ok(());
        }
        let field = &self.schema.fields_of(message)[0];
        match message.form {
            Form::Struct => self.out.bytes(b"{}")?,
            Form::ListValue => self.out.bytes(b"[]")?,
            Form::Value => return Err(Reason::MissingKind.into()),
            _ => {
                self.out.room(SCALAR_ROOM)?;
                self.scalar(field, Scalar::default_of(field.kind, 0))?;
            }
        }
        Ok(())
    }
}

/// Key and value of a map entry; a message value lies in the spans instead.
pub(super) struct Entry {
    pub(super) key: Scalar,
    pub(super) value: Scalar,
}

/// The quoted key at the start of `text`.
fn printed_key(text: &[u8]) -> &[u8] {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    &text[..at.min(text.len())]
}
