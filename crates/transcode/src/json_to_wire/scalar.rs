//! One value, in every spelling that JSON has for its type.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::scan::Quoted;
use super::{Reader, Written};
use crate::error::{Reason, Result};
use crate::number;
use crate::options::{EnumCase, UnknownFields};
use crate::schema::{Field, Kind};
use crate::wire;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// What a tag and a value of fixed or varint form can take.
pub(super) const SCALAR_ROOM: usize = 24;

fn written(zero: bool) -> Written {
    if zero { Written::Default } else { Written::Value }
}

impl<'a> Reader<'a> {
    /// Writes one value without its tag. Room for [`SCALAR_ROOM`] must be there.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn value(&mut self, field: &Field) -> Result<Written> {
        match field.kind {
            Kind::String => self.string_value(),
            Kind::Int32 => self.signed(i32::MIN.into(), i32::MAX.into()).map(|v| self.varint_value(v as u64)),
            Kind::Int64 => self.signed(i64::MIN, i64::MAX).map(|v| self.varint_value(v as u64)),
            Kind::Uint32 => self.unsigned(u32::MAX.into()).map(|v| self.varint_value(v)),
            Kind::Uint64 => self.unsigned(u64::MAX).map(|v| self.varint_value(v)),
            Kind::Sint32 => self.signed(i32::MIN.into(), i32::MAX.into()).map(|v| self.varint_value(wire::zigzag(v))),
            Kind::Sint64 => self.signed(i64::MIN, i64::MAX).map(|v| self.varint_value(wire::zigzag(v))),
            Kind::Fixed32 => self.unsigned(u32::MAX.into()).map(|v| self.fixed32_value(v as u32)),
            Kind::Fixed64 => self.unsigned(u64::MAX).map(|v| self.fixed64_value(v)),
            Kind::Sfixed32 => self.signed(i32::MIN.into(), i32::MAX.into()).map(|v| self.fixed32_value(v as u32)),
            Kind::Sfixed64 => self.signed(i64::MIN, i64::MAX).map(|v| self.fixed64_value(v as u64)),
            Kind::Double => self.double().map(|v| self.fixed64_value(v.to_bits())),
            Kind::Float => self.float().map(|v| self.fixed32_value(v.to_bits())),
            Kind::Bool => self.bool_value(),
            Kind::Enum => self.enum_value(field),
            Kind::Message => self.message_value(field),
            Kind::Bytes => self.bytes_value(),
            Kind::Group => self.group_value(field),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn varint_value(&mut self, value: u64) -> Written {
        self.out.varint(value);
        written(value == 0)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn fixed32_value(&mut self, value: u32) -> Written {
        self.out.block(value.to_le_bytes(), 4);
        written(value == 0)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn fixed64_value(&mut self, value: u64) -> Written {
        self.out.block(value.to_le_bytes(), 8);
        written(value == 0)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn message_value(&mut self, field: &Field) -> Result<Written> {
        let begin = self.out.begin_length()?;
        self.message(field.target)?;
        self.out.end_length(begin)?;
        Ok(Written::Value)
    }

    fn group_value(&mut self, field: &Field) -> Result<Written> {
        self.message(field.target)?;
        self.out.room(10)?;
        self.out.varint(u64::from(field.number << 3 | wire::END_GROUP));
        Ok(Written::Value)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn string_value(&mut self) -> Result<Written> {
        let quoted = self.string()?;
        self.quoted_value(quoted)
    }

    /// Writes length and content of a string.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn quoted_value(&mut self, quoted: Quoted) -> Result<Written> {
        let json: &'a [u8] = self.json;
        let length = quoted.end - quoted.start;
        if quoted.escaped {
            let begin = self.out.begin_length()?;
            self.write_unescaped(quoted)?;
            self.out.end_length(begin)?;
        } else {
            self.out.room(length + 10)?;
            self.out.varint(length as u64);
            self.out.copy_in_room(json, quoted.start, length);
        }
        Ok(written(length == 0))
    }

    fn bool_value(&mut self) -> Result<Written> {
        let value = match self.peek() {
            Some(b't') if self.eat(b"true") => true,
            Some(b'f') if self.eat(b"false") => false,
            _ => return Err(self.mismatch("true or false").into()),
        };
        self.out.byte(u8::from(value));
        Ok(written(!value))
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn signed(&mut self, min: i64, max: i64) -> Result<i64> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {
                if let Some((magnitude, negative, end)) = number::plain(self.json, self.pos) {
                    let value = if negative { -(magnitude as i64) } else { magnitude as i64 };
                    if value < min || value > max {
                        return Err(Reason::OutOfRange.into());
                    }
                    self.pos = end;
                    return Ok(value);
                }
                self.odd_signed(min, max)
            }
            Some(b'"') => {
                let quoted = self.string()?;
                self.content(quoted, |_, text| number::signed(text, 0, &number::scan_all(text)?, min, max))
            }
            _ => Err(self.mismatch("an integer").into()),
        }
    }

    /// An integer in an unusual spelling.
    #[inline(never)]
    fn odd_signed(&mut self, min: i64, max: i64) -> Result<i64> {
        let number = number::scan(self.json, self.pos)?;
        let value = number::signed(self.json, self.pos, &number, min, max)?;
        self.pos = number.end;
        Ok(value)
    }

    /// An unsigned integer in an unusual spelling.
    #[inline(never)]
    fn odd_unsigned(&mut self, max: u64) -> Result<u64> {
        let number = number::scan(self.json, self.pos)?;
        let value = number::unsigned(self.json, self.pos, &number, max)?;
        self.pos = number.end;
        Ok(value)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn unsigned(&mut self, max: u64) -> Result<u64> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => match number::plain(self.json, self.pos) {
                Some((value, false, end)) if value <= max => {
                    self.pos = end;
                    Ok(value)
                }
                _ => self.odd_unsigned(max),
            },
            Some(b'"') => {
                let quoted = self.string()?;
                self.content(quoted, |_, text| number::unsigned(text, 0, &number::scan_all(text)?, max))
            }
            _ => Err(self.mismatch("an integer").into()),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn double(&mut self) -> Result<f64> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {
                let number = number::scan(self.json, self.pos)?;
                let value = number::double(self.json, self.pos, &number)?;
                self.pos = number.end;
                Ok(value)
            }
            Some(b'"') => {
                let quoted = self.string()?;
                self.content(quoted, |_, text| match text {
                    b"NaN" => Ok(f64::NAN),
                    b"Infinity" => Ok(f64::INFINITY),
                    b"-Infinity" => Ok(f64::NEG_INFINITY),
                    text => number::double(text, 0, &number::scan_all(text)?),
                })
            }
            _ => Err(self.mismatch("a number").into()),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn float(&mut self) -> Result<f32> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => {
                let number = number::scan(self.json, self.pos)?;
                let value = number::float(self.json, self.pos, &number)?;
                self.pos = number.end;
                Ok(value)
            }
            Some(b'"') => {
                let quoted = self.string()?;
                self.content(quoted, |_, text| match text {
                    b"NaN" => Ok(f32::NAN),
                    b"Infinity" => Ok(f32::INFINITY),
                    b"-Infinity" => Ok(f32::NEG_INFINITY),
                    text => number::float(text, 0, &number::scan_all(text)?),
                })
            }
            _ => Err(self.mismatch("a number").into()),
        }
    }

    fn enum_value(&mut self, field: &Field) -> Result<Written> {
        let declared = &self.schema.enums[field.target as usize];
        let number = match self.peek() {
            Some(b'"') => {
                let quoted = self.string()?;
                let case = self.options.enum_case;
                self.content(quoted, |reader, name| {
                    Ok(match case {
                        EnumCase::Exact => reader.schema.enum_number(declared, name),
                        EnumCase::Ignore => reader.schema.enum_number_any_case(declared, name),
                    })
                })?
            }
            Some(b'n') if field.nullable && self.eat(b"null") => Some(0),
            Some(b'-' | b'0'..=b'9') => {
                let number = self.signed(i32::MIN.into(), i32::MAX.into())? as i32;
                let known = !declared.closed || self.schema.enum_name(declared, number).is_some();
                known.then_some(number)
            }
            _ => return Err(self.mismatch("an enum value").into()),
        };
        match number {
            Some(number) => Ok(self.varint_value(i64::from(number) as u64)),
            None if self.options.unknown_fields == UnknownFields::Ignore => Ok(Written::Nothing),
            None => Err(Reason::UnknownEnumValue.into()),
        }
    }

    fn bytes_value(&mut self) -> Result<Written> {
        let quoted = self.string()?;
        if quoted.escaped {
            let mut plain = std::mem::take(&mut self.text);
            plain.clear();
            self.content(quoted, |_, text| {
                plain.extend_from_slice(text);
                Ok(())
            })?;
            let written = self.base64_value(&plain);
            self.text = plain;
            return written;
        }
        let json: &'a [u8] = self.json;
        self.base64_value(&json[quoted.start..quoted.end])
    }

    fn base64_value(&mut self, text: &[u8]) -> Result<Written> {
        let url = memchr::memchr2(b'-', b'_', text).is_some();
        let engine = if url { &BASE64_URL } else { &BASE64 };
        let begin = self.out.begin_length()?;
        let most = base64::decoded_len_estimate(text.len());
        self.out.room(most)?;
        let length = engine.decode_slice(text, self.out.window(most)).map_err(|_| Reason::InvalidBase64)?;
        self.out.advance(length);
        self.out.end_length(begin)?;
        Ok(written(length == 0))
    }

    /// Writes a map key without its tag: the content of a string, whatever the key's type.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn key_value(&mut self, kind: Kind, quoted: Quoted) -> Result<()> {
        if kind == Kind::String {
            return self.quoted_value(quoted).map(drop);
        }
        let value = self.content(quoted, |_, text| key(kind, text))?;
        match kind {
            Kind::Fixed32 | Kind::Sfixed32 => self.fixed32_value(value as u32),
            Kind::Fixed64 | Kind::Sfixed64 => self.fixed64_value(value),
            _ => self.varint_value(value),
        };
        Ok(())
    }
}

/// The wire value of a map key that is no string.
fn key(kind: Kind, text: &[u8]) -> Result<u64, Reason> {
    match kind {
        Kind::Bool => match text {
            b"true" => Ok(1),
            b"false" => Ok(0),
            _ => Err(Reason::Expected("true or false")),
        },
        Kind::Int32 | Kind::Sfixed32 => {
            number::signed(text, 0, &number::scan_all(text)?, i32::MIN.into(), i32::MAX.into()).map(|v| v as u64)
        }
        Kind::Sint32 => number::signed(text, 0, &number::scan_all(text)?, i32::MIN.into(), i32::MAX.into()).map(wire::zigzag),
        Kind::Int64 | Kind::Sfixed64 => number::signed(text, 0, &number::scan_all(text)?, i64::MIN, i64::MAX).map(|v| v as u64),
        Kind::Sint64 => number::signed(text, 0, &number::scan_all(text)?, i64::MIN, i64::MAX).map(wire::zigzag),
        Kind::Uint32 | Kind::Fixed32 => number::unsigned(text, 0, &number::scan_all(text)?, u32::MAX.into()),
        _ => number::unsigned(text, 0, &number::scan_all(text)?, u64::MAX),
    }
}
