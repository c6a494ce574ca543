//! `google.protobuf.Any`: an object whose `@type` says what the rest of it is.

use super::Reader;
use super::scalar::SCALAR_ROOM;
use crate::error::{Fault, Reason, Result, Step};
use crate::options::UnknownFields;
use crate::schema::{Form, Message};
use crate::wire;

impl Reader<'_> {
    pub(super) fn any(&mut self) -> Result<()> {
        if self.peek() != Some(b'{') {
            return Err(self.mismatch("an object").into());
        }
        let start = self.pos;
        let Some(target) = self.any_type()? else {
            return Ok(());
        };
        self.pos = start;
        self.out.room(SCALAR_ROOM)?;
        let mark = self.out.pos();
        self.out.byte((2 << 3 | wire::LEN) as u8);
        let begin = self.out.begin_length()?;
        let schema = self.schema;
        let message = schema.get(target);
        match message.form {
            form if form.is_special() => self.any_value(Some(target))?,
            Form::Empty => self.any_value(None)?,
            _ => self.object(message, true)?,
        }
        if self.out.pos() == begin {
            self.out.rewind(mark);
            return Ok(());
        }
        Ok(self.out.end_length(begin)?)
    }

    /// Finds `@type` wherever it stands, writes it as field 1 and returns the type; nothing for `{}`.
    fn any_type(&mut self) -> Result<Option<u32>> {
        self.enter()?;
        self.pos += 1;
        if self.empty(b'}') {
            self.leave();
            return Ok(None);
        }
        let start = self.pos;
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a field name").into());
            }
            let quoted = self.string()?;
            let found = self.content(quoted, |_, name| Ok(name == b"@type"))?;
            self.colon()?;
            if found {
                break;
            }
            self.skip()?;
            if !self.more(b'}', "a comma or the end of the object")? {
                return Err(Reason::MissingType.into());
            }
        }
        self.lookahead = self.lookahead.checked_sub(self.pos - start).ok_or(Reason::TooDeep)?;
        let quoted = self.string()?;
        let target = self.content(quoted, |reader, url| {
            let slash = memchr::memrchr(b'/', url).ok_or(Reason::UnknownType)?;
            let name = std::str::from_utf8(&url[slash + 1..]).map_err(|_| Reason::InvalidUtf8)?;
            reader.schema.message(name).ok_or(Reason::UnknownType)
        })?;
        self.out.room(SCALAR_ROOM)?;
        self.out.byte((1 << 3 | wire::LEN) as u8);
        self.quoted_value(quoted)?;
        self.leave();
        Ok(Some(target.0))
    }

    /// Writes the `value` member of an `Any` whose type has no object form; without target it is `Empty`, where the
    /// member may be missing.
    fn any_value(&mut self, target: Option<u32>) -> Result<()> {
        self.enter()?;
        self.pos += 1;
        self.space();
        let (mut types, mut values) = (0, 0);
        loop {
            let quoted = self.string()?;
            let ignore = self.options.unknown_fields == UnknownFields::Ignore;
            let (is_type, is_value) = self.content(quoted, |_, name| Ok((name == b"@type", name == b"value")))?;
            self.colon()?;
            if is_type {
                types += 1;
                self.skip()?;
            } else if is_value {
                values += 1;
                self.any_member(target).map_err(|fault| fault.within(Step::AnyValue))?;
            } else if ignore {
                self.skip()?;
            } else {
                return Err(Fault::new(Reason::UnknownField).at(quoted.start));
            }
            if types > 1 || values > 1 {
                return Err(Reason::DuplicateField.into());
            }
            if !self.more(b'}', "a comma or the end of the object")? {
                break;
            }
        }
        self.leave();
        if values == 0 && target.is_some() {
            return Err(Fault::new(Reason::MissingRequired).within(Step::AnyValue));
        }
        Ok(())
    }

    fn any_member(&mut self, target: Option<u32>) -> Result<()> {
        let Some(target) = target else {
            self.expect(b'{', "an object")?;
            return if self.empty(b'}') { Ok(()) } else { Err(Reason::UnknownField.into()) };
        };
        let message: &Message = self.schema.get(target);
        if self.peek() == Some(b'n') && message.form != Form::Value {
            return Err(self.mismatch("a value").into());
        }
        self.message(target)
    }
}
