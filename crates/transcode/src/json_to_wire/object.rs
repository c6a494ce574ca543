//! Objects, arrays and maps.

use super::scalar::SCALAR_ROOM;
use super::{FOLLOWERS, Reader, Written};
use crate::error::{Fault, Reason, Result, Step};
use crate::options::UnknownFields;
use crate::schema::{Field, FieldIndex, Form, Kind, Message, NO_ONEOF, Shape, Text};
use crate::wire;

/// A member of an object.
enum Member {
    /// A field, by its local index.
    Field(usize),
    /// `@type` of an `Any`: read before, skipped now.
    Type,
    /// An unknown field to skip.
    Unknown,
}

impl Reader<'_> {
    /// Writes the content of a message, in the form its type has in JSON.
    pub(super) fn message(&mut self, id: u32) -> Result<()> {
        let schema = self.schema;
        let message = schema.get(id);
        match message.form {
            Form::Plain | Form::MessageSet | Form::Empty => self.object(message, false),
            Form::Wrapper => self.singular(&schema.fields_of(message)[0]).map(drop),
            Form::Struct => {
                self.enter()?;
                self.map(&schema.fields_of(message)[0])?;
                self.leave();
                Ok(())
            }
            Form::ListValue => {
                self.enter()?;
                self.array(&schema.fields_of(message)[0])?;
                self.leave();
                Ok(())
            }
            Form::Value => self.kind(message),
            Form::Timestamp => self.timestamp(),
            Form::Duration => self.duration(),
            Form::FieldMask => self.field_mask(),
            Form::Any => self.any(),
        }
    }

    /// Writes the fields of an object. In an `Any`, `@type` is passed over.
    pub(super) fn object(&mut self, message: &Message, in_any: bool) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch("an object").into());
        }
        self.enter()?;
        self.pos += 1;
        let schema = self.schema;
        let fields = schema.fields_of(message);
        let base = self.seen.len();
        self.seen.resize(base + ((message.count + message.oneofs) as usize).div_ceil(64), 0);
        let mut types = 0;
        if !self.empty(b'}') {
            // The place of the last field among the followers; 0 is the beginning of the object.
            let mut last = message.first as usize;
            loop {
                let guess = self.guess(last, message);
                let member = match fields.get(guess) {
                    Some(field) if self.is_key(field.json_key) => Member::Field(guess),
                    _ => self.member(message, in_any)?,
                };
                match member {
                    Member::Field(index) => {
                        if index != guess {
                            self.followers[last % FOLLOWERS] = index as u16 + 1;
                        }
                        last = message.first as usize + index + 1;
                        let global = FieldIndex(message.first + index as u32);
                        self.member_field(message, &fields[index], base, index)
                            .map_err(|fault| fault.within(Step::Field(global)))?;
                    }
                    Member::Type if types > 0 => return Err(Reason::DuplicateField.into()),
                    Member::Type => {
                        types += 1;
                        self.skip()?;
                    }
                    Member::Unknown => self.skip()?,
                }
                if !self.more(b'}', "a comma or the end of the object")? {
                    break;
                }
            }
        }
        if message.required {
            self.check_required(message, base)?;
        }
        self.seen.truncate(base);
        self.leave();
        Ok(())
    }

    /// The field that probably comes next. Most texts hold objects of one type after another, their members in one
    /// order: the one that followed the last time, whatever the order is. A wrong guess costs a comparison.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn guess(&self, last: usize, message: &Message) -> usize {
        match self.followers[last % FOLLOWERS] {
            0 => last - message.first as usize,
            learned => usize::from(learned) - 1,
        }
    }

    /// Whether the key `,"name":` (without its comma) stands here; then it is consumed.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn is_key(&mut self, key: Text) -> bool {
        let text = self.schema.text();
        let (at, length) = (key.at as usize + 1, key.len as usize - 1);
        let (Some(json), Some(name)) = (self.json.get(self.pos..self.pos + length + 8), text.get(at..at + length + 8)) else {
            let found = self.json.get(self.pos..self.pos + length) == text.get(at..at + length);
            self.pos += if found { length } else { 0 };
            return found;
        };
        let word = |bytes: &[u8], i: usize| bytes[i..].first_chunk::<8>().map_or(0, |word| u64::from_le_bytes(*word));
        let mut i = 0;
        while i + 8 <= length {
            if word(json, i) != word(name, i) {
                return false;
            }
            i += 8;
        }
        // The shift drops the bytes behind the key; a multiple of eight leaves none to compare.
        let rest = (length - i) as u32 * 8;
        if rest > 0 && (word(json, i) ^ word(name, i)) << (64 - rest) != 0 {
            return false;
        }
        self.pos += length;
        true
    }

    /// Reads a key and the colon, and finds what it names.
    fn member(&mut self, message: &Message, in_any: bool) -> Result<Member> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a field name").into());
        }
        let quoted = self.string()?;
        let ignore = self.options.unknown_fields == UnknownFields::Ignore;
        let mut unknown = None;
        let member = self.content(quoted, |reader, name| {
            Ok(match reader.schema.field_by_name(message, name) {
                Some(index) => Member::Field(index),
                None if in_any && name == b"@type" => Member::Type,
                None => {
                    if !ignore {
                        unknown = Some(Fault::unknown_name(Reason::UnknownField, name));
                    }
                    Member::Unknown
                }
            })
        })?;
        if let Some(fault) = unknown {
            return Err(fault.at(quoted.start));
        }
        self.colon()?;
        Ok(member)
    }

    /// Writes a field of an object, once.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn member_field(&mut self, message: &Message, field: &Field, base: usize, index: usize) -> Result<()> {
        let bits = &mut self.seen[base + index / 64];
        if *bits >> (index % 64) & 1 != 0 {
            return Err(Reason::DuplicateField.into());
        }
        *bits |= 1 << (index % 64);
        self.space();
        if field.oneof != NO_ONEOF && !self.at_absence(field) {
            let bit = field.oneof as usize;
            let bits = &mut self.seen[base + bit / 64];
            if *bits >> (bit % 64) & 1 != 0 {
                return Err(Reason::OneofConflict.into());
            }
            *bits |= 1 << (bit % 64);
        }
        if message.form == Form::MessageSet { self.message_set_item(field) } else { self.field(field) }
    }

    /// Whether a `null` stands here that means "absent".
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn at_absence(&self, field: &Field) -> bool {
        self.peek() == Some(b'n')
            && !(field.nullable && field.shape == Shape::Singular)
            && self.json[self.pos..].starts_with(b"null")
    }

    /// Writes a field, tag included; `null` writes nothing.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn field(&mut self, field: &Field) -> Result<()> {
        if self.at_absence(field) {
            self.pos += 4;
            return Ok(());
        }
        match field.shape {
            Shape::Singular => self.singular(field).map(drop),
            Shape::Repeated => self.array(field),
            Shape::Map => self.map(field),
        }
    }

    /// Writes tag and value, or nothing for the default of a field without presence.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn singular(&mut self, field: &Field) -> Result<Written> {
        self.out.room(SCALAR_ROOM)?;
        let mark = self.out.pos();
        self.out.block(field.written_tag, usize::from(field.written_len));
        let written = self.value(field)?;
        if written == Written::Nothing || (written == Written::Default && field.implicit) {
            self.out.rewind(mark);
        }
        Ok(written)
    }

    /// Writes the elements of an array.
    pub(super) fn array(&mut self, field: &Field) -> Result<()> {
        if self.peek() != Some(b'[') {
            return Err(self.mismatch("an array").into());
        }
        self.pos += 1;
        if !self.empty(b']') {
            let mut index = 0;
            let result = if field.packed { self.packed_elements(field, &mut index) } else { self.elements(field, &mut index) };
            result.map_err(|fault| fault.within(Step::Element(index)))?;
        }
        Ok(())
    }

    fn packed_elements(&mut self, field: &Field, index: &mut usize) -> Result<()> {
        self.out.room(SCALAR_ROOM)?;
        let mark = self.out.pos();
        self.out.block(field.written_tag, usize::from(field.written_len));
        let begin = self.out.begin_length()?;
        loop {
            self.out.room(SCALAR_ROOM)?;
            self.value(field)?;
            if !self.more(b']', "a comma or the end of the array")? {
                break;
            }
            *index += 1;
        }
        if self.out.pos() == begin {
            // Every element was an unknown enum name.
            self.out.rewind(mark);
            return Ok(());
        }
        Ok(self.out.end_length(begin)?)
    }

    fn elements(&mut self, field: &Field, index: &mut usize) -> Result<()> {
        loop {
            self.out.room(SCALAR_ROOM)?;
            let mark = self.out.pos();
            self.out.block(field.written_tag, usize::from(field.written_len));
            if self.value(field)? == Written::Nothing {
                self.out.rewind(mark);
            }
            if !self.more(b']', "a comma or the end of the array")? {
                return Ok(());
            }
            *index += 1;
        }
    }

    /// Writes the entries of a map, each a message of key and value.
    pub(super) fn map(&mut self, field: &Field) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch("an object").into());
        }
        self.pos += 1;
        if !self.empty(b'}') {
            let schema = self.schema;
            let [key, value] = schema.fields_of(schema.get(field.target)) else {
                return Err(Reason::Expected("a map").into());
            };
            // The shortest entry, `"":0,`, has five bytes.
            let base = self.keys.open(self.json.len() / 5 + 1);
            let mut index = 0;
            loop {
                self.entry(field, key.kind, value).map_err(|fault| fault.within(Step::Entry(index)))?;
                if !self.more(b'}', "a comma or the end of the object")? {
                    break;
                }
                index += 1;
            }
            let out = &self.out;
            if self.keys.close(base, |at| key_bytes(out.since(at), key.kind)) {
                return Err(Reason::DuplicateKey.into());
            }
        }
        Ok(())
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn entry(&mut self, field: &Field, key: Kind, value: &Field) -> Result<()> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("a key").into());
        }
        let quoted = self.string()?;
        self.out.room(2 * SCALAR_ROOM)?;
        let mark = self.out.pos();
        self.out.block(field.written_tag, usize::from(field.written_len));
        let begin = self.out.begin_length()?;
        self.out.byte(1 << 3 | key.wire_type() as u8);
        let key_at = self.out.pos();
        self.key_value(key, quoted)?;
        let key_length = self.out.pos() - key_at;
        self.colon()?;
        self.out.room(SCALAR_ROOM)?;
        self.out.byte(2 << 3 | value.kind.wire_type() as u8);
        if self.value(value)? == Written::Nothing {
            self.out.rewind(mark);
            return Ok(());
        }
        let end = self.out.pos();
        self.out.end_length(begin)?;
        // A longer length has moved the key.
        let key_at = key_at + (self.out.pos() - end);
        let hash = if key == Kind::String && !quoted.escaped {
            self.keys.hash(&self.json[quoted.start..quoted.end])
        } else {
            let written = &self.out.since(key_at)[..key_length];
            let content = if key == Kind::String { length_cut_off(written) } else { written };
            self.keys.hash(content)
        };
        self.keys.push(hash, key_at);
        Ok(())
    }

    /// An item of a message set: `group Item = 1 { int32 type_id = 2; bytes message = 3; }`.
    fn message_set_item(&mut self, field: &Field) -> Result<()> {
        if self.at_absence(field) {
            self.pos += 4;
            return Ok(());
        }
        self.out.room(SCALAR_ROOM)?;
        self.out.byte((1 << 3 | wire::START_GROUP) as u8);
        self.out.byte((2 << 3 | wire::VARINT) as u8);
        self.out.varint(field.number.into());
        self.out.byte((3 << 3 | wire::LEN) as u8);
        let begin = self.out.begin_length()?;
        self.message(field.target)?;
        self.out.end_length(begin)?;
        self.out.room(1)?;
        self.out.byte((1 << 3 | wire::END_GROUP) as u8);
        Ok(())
    }

    #[cold]
    fn check_required(&self, message: &Message, base: usize) -> Result<()> {
        for (index, field) in self.schema.fields_of(message).iter().enumerate() {
            if field.required && self.seen[base + index / 64] >> (index % 64) & 1 == 0 {
                let step = Step::Field(FieldIndex(message.first + index as u32));
                return Err(Fault::new(Reason::MissingRequired).within(step));
            }
        }
        Ok(())
    }
}

/// The bytes of a key at the start of `wire`.
fn key_bytes(wire: &[u8], kind: Kind) -> &[u8] {
    let mut end = 0;
    // The key was written by this module, so it is whole.
    let _ = wire::skip(wire, &mut end, kind.wire_type(), 0);
    &wire[..end]
}

/// The content of a string on the wire.
fn length_cut_off(wire: &[u8]) -> &[u8] {
    let length = wire.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &wire[length.min(wire.len())..]
}
