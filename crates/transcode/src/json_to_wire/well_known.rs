//! Well-known types whose JSON is a text or any value.

use super::Reader;
use super::scalar::SCALAR_ROOM;
use crate::error::{Reason, Result};
use crate::schema::Message;
use crate::well_known::{duration, field_mask, timestamp};
use crate::wire;

impl Reader<'_> {
    /// `google.protobuf.Value`: the kind is that of the JSON value. Its fields are null (1), number, string, bool,
    /// struct, list.
    pub(super) fn kind(&mut self, message: &Message) -> Result<()> {
        let index = match self.peek() {
            Some(b'n') => 0,
            Some(b'-' | b'0'..=b'9') => 1,
            Some(b'"') => 2,
            Some(b't' | b'f') => 3,
            Some(b'{') => 4,
            Some(b'[') => 5,
            _ => return Err(self.unexpected("a value").into()),
        };
        self.singular(&self.schema.fields_of(message)[index]).map(drop)
    }

    pub(super) fn timestamp(&mut self) -> Result<()> {
        let quoted = self.string()?;
        let (seconds, nanos) = self.content(quoted, |_, text| timestamp::parse(text).ok_or(Reason::InvalidTimestamp))?;
        self.seconds_and_nanos(seconds, nanos)
    }

    pub(super) fn duration(&mut self) -> Result<()> {
        let quoted = self.string()?;
        let (seconds, nanos) = self.content(quoted, |_, text| duration::parse(text).ok_or(Reason::InvalidDuration))?;
        self.seconds_and_nanos(seconds, nanos)
    }

    fn seconds_and_nanos(&mut self, seconds: i64, nanos: i32) -> Result<()> {
        self.out.room(2 * SCALAR_ROOM)?;
        for (number, value) in [(1, seconds), (2, i64::from(nanos))] {
            if value != 0 {
                self.out.byte(number << 3 | wire::VARINT as u8);
                self.out.varint(value as u64);
            }
        }
        Ok(())
    }

    /// Writes the paths of a mask. None of them can hold a comma, so the text is translated before it is split.
    pub(super) fn field_mask(&mut self) -> Result<()> {
        let quoted = self.string()?;
        let mut snake = std::mem::take(&mut self.text);
        snake.clear();
        self.content(quoted, |_, text| field_mask::to_snake(text, &mut snake).ok_or(Reason::InvalidFieldMask))?;
        if !snake.is_empty() {
            for path in snake.split(|byte| *byte == b',') {
                self.out.room(path.len() + SCALAR_ROOM)?;
                self.out.byte((1 << 3 | wire::LEN) as u8);
                self.out.varint(path.len() as u64);
                self.out.bytes(path)?;
            }
        }
        self.text = snake;
        Ok(())
    }
}
