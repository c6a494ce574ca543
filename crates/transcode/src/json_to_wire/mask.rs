//! The field mask of a `PATCH`: the paths of what its body holds.
//!
//! An object of fields is looked into, so that fields it does not name stay as they are; a list, a map, a well-known
//! type and `null` are replaced as a whole.

use super::Reader;
use super::scalar::SCALAR_ROOM;
use crate::error::{Fault, Reason, Result};
use crate::options::UnknownFields;
use crate::schema::{Field, Form, Kind, Message, Shape};
use crate::wire;

impl Reader<'_> {
    /// Writes the `google.protobuf.FieldMask` of the object that stands here.
    pub(super) fn mask(&mut self, id: u32) -> Result<()> {
        let mut prefix = String::new();
        if self.peek() == Some(b'n') && self.eat(b"null") {
            return Ok(());
        }
        let schema = self.schema;
        self.mask_object(schema.get(id), &mut prefix)
    }

    fn mask_object(&mut self, message: &Message, prefix: &mut String) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch("an object").into());
        }
        self.enter()?;
        self.pos += 1;
        if self.empty(b'}') {
            self.leave();
            // An empty object is set as it is; an empty body sets nothing.
            return if prefix.is_empty() { Ok(()) } else { self.path(prefix) };
        }
        loop {
            let quoted = self.string()?;
            let index = self.content(quoted, |reader, name| Ok(reader.schema.field_by_name(message, name)))?;
            self.colon()?;
            match index {
                Some(index) => self.mask_field(&self.schema.fields_of(message)[index], prefix)?,
                None if self.options.unknown_fields == UnknownFields::Ignore => self.skip()?,
                None => return Err(Fault::new(Reason::UnknownField).at(quoted.start)),
            }
            if !self.more(b'}', "a comma or the end of the object")? {
                break;
            }
        }
        self.leave();
        Ok(())
    }

    fn mask_field(&mut self, field: &Field, prefix: &mut String) -> Result<()> {
        let schema = self.schema;
        let length = prefix.len();
        if length > 0 {
            prefix.push('.');
        }
        prefix.push_str(schema.field_original_name(field));
        let inner = matches!(field.kind, Kind::Message | Kind::Group)
            && field.shape == Shape::Singular
            && schema.get(field.target).form == Form::Plain
            && self.peek() == Some(b'{');
        if inner {
            self.mask_object(schema.get(field.target), prefix)?;
        } else {
            self.skip()?;
            self.path(prefix)?;
        }
        prefix.truncate(length);
        Ok(())
    }

    /// Writes a path, field 1 of `google.protobuf.FieldMask`.
    fn path(&mut self, path: &str) -> Result<()> {
        self.out.room(path.len() + SCALAR_ROOM)?;
        self.out.byte((1 << 3 | wire::LEN) as u8);
        self.out.varint(path.len() as u64);
        Ok(self.out.bytes(path.as_bytes())?)
    }
}
