//! One value, read from the wire and printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Halt, Printer};
use crate::error::Reason;
use crate::json_to_wire::special;
use crate::number::eight_digits;
use crate::schema::{Field, Kind};
use crate::wire::{self, Read};

/// What the text of a number with its quotes, a comma and a colon can take.
pub(super) const SCALAR_ROOM: usize = 40;

const HIGH: u64 = 0x8080_8080_8080_8080;
const SPACES: u64 = 0x2020_2020_2020_2020;

/// A value on the wire.
#[derive(Clone, Copy)]
pub(super) enum Scalar {
    /// A number as it stands there, varints and fixed ones alike.
    Bits(u64),
    /// Where text or bytes lie.
    Range(usize, usize),
}

impl Scalar {
    /// Reads a value whose tag was read.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn read(wire: &[u8], pos: &mut usize, kind: Kind) -> Read<Self> {
        Ok(match kind {
            Kind::String | Kind::Bytes | Kind::Message | Kind::Group => {
                let end = wire::length(wire, pos)?;
                Self::Range(std::mem::replace(pos, end), end)
            }
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Self::Bits(wire::fixed64(wire, pos)?),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Self::Bits(wire::fixed32(wire, pos)?.into()),
            _ => Self::Bits(wire::varint(wire, pos)?),
        })
    }

    /// Zero, or empty; `at` is any place on the wire.
    pub(super) fn default_of(kind: Kind, at: usize) -> Self {
        if kind.packable() { Self::Bits(0) } else { Self::Range(at, at) }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn is_default(self, kind: Kind) -> bool {
        match self {
            Self::Range(start, end) => start == end,
            Self::Bits(bits) => narrow(kind, bits) == 0,
        }
    }
}

/// The bits that count: a varint may carry more than a 32-bit type holds.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn narrow(kind: Kind, bits: u64) -> u64 {
    match kind {
        Kind::Int32 | Kind::Uint32 | Kind::Sint32 | Kind::Enum => bits & 0xffff_ffff,
        Kind::Bool => u64::from(bits != 0),
        _ => bits,
    }
}

impl Printer<'_> {
    /// Whether the number is a value of its enum: any is, unless the enum is closed.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn is_enum_value(&self, field: &Field, scalar: Scalar) -> bool {
        let declared = &self.schema.enums[field.target as usize];
        match scalar {
            Scalar::Bits(bits) => !declared.closed || self.schema.enum_name(declared, bits as i32).is_some(),
            Scalar::Range(..) => false,
        }
    }

    /// Prints a value. [`SCALAR_ROOM`] must be there.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn scalar(&mut self, field: &Field, scalar: Scalar) -> Result<(), Halt> {
        match scalar {
            Scalar::Range(start, end) if field.kind == Kind::String => self.string(start, end),
            Scalar::Range(start, end) => self.base64(start, end),
            Scalar::Bits(bits) => match field.kind {
                Kind::Double => self.double(f64::from_bits(bits), field.finite),
                Kind::Float => self.float(f32::from_bits(bits as u32)),
                Kind::Enum => self.enumerator(field, bits as i32),
                Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => {
                    self.out.byte(b'"');
                    self.integer_or_bool(field.kind, bits);
                    self.out.byte(b'"');
                    Ok(())
                }
                kind => {
                    self.integer_or_bool(kind, bits);
                    Ok(())
                }
            },
        }
    }

    /// Prints an integer or a bool without quotes.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn integer_or_bool(&mut self, kind: Kind, bits: u64) {
        match kind {
            Kind::Int32 | Kind::Sfixed32 => self.signed(i64::from(bits as i32)),
            Kind::Sint32 => self.signed(i64::from(wire::unzigzag(bits & 0xffff_ffff) as i32)),
            Kind::Int64 | Kind::Sfixed64 => self.signed(bits as i64),
            Kind::Sint64 => self.signed(wire::unzigzag(bits)),
            Kind::Uint32 | Kind::Fixed32 => self.unsigned(bits & 0xffff_ffff),
            Kind::Bool if bits == 0 => self.out.block(*b"false\0\0\0", 5),
            Kind::Bool => self.out.block(*b"true\0\0\0\0", 4),
            _ => self.unsigned(bits),
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn signed(&mut self, value: i64) {
        if value < 0 {
            self.out.byte(b'-');
        }
        self.unsigned(value.unsigned_abs());
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn unsigned(&mut self, value: u64) {
        if value < 100_000_000 {
            return self.leading_digits(value as u32);
        }
        self.long_unsigned(value);
    }

    /// Prints a number below 10^8 without leading zeros.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn leading_digits(&mut self, value: u32) {
        if value < 10 {
            return self.out.byte(b'0' + value as u8);
        }
        let digits = eight_digits(value);
        let zeros = (digits & 0x0f0f_0f0f_0f0f_0f0f).trailing_zeros() / 8;
        self.out.block((digits >> (8 * zeros)).to_le_bytes(), 8 - zeros as usize);
    }

    #[inline(never)]
    fn long_unsigned(&mut self, value: u64) {
        const EIGHT: u64 = 100_000_000;
        let (high, low) = (value / EIGHT, value % EIGHT);
        if high < EIGHT {
            self.leading_digits(high as u32);
        } else {
            self.leading_digits((high / EIGHT) as u32);
            self.out.block(eight_digits((high % EIGHT) as u32).to_le_bytes(), 8);
        }
        self.out.block(eight_digits(low as u32).to_le_bytes(), 8);
    }

    fn double(&mut self, value: f64, finite: bool) -> Result<(), Halt> {
        if value.is_finite() {
            // A whole number in the range where f64 holds every integer.
            if value.abs() < 9e15 && value.trunc().to_bits() == value.to_bits() && value.to_bits() != 1 << 63 {
                self.signed(value as i64);
                return Ok(());
            }
            self.float_text(zmij::Buffer::new().format_finite(value));
            return Ok(());
        }
        if finite {
            return Err(Reason::NotFinite.into());
        }
        self.not_finite(value)
    }

    fn float(&mut self, value: f32) -> Result<(), Halt> {
        if !value.is_finite() {
            return self.not_finite(value.into());
        }
        if value.abs() < 16_777_216.0 && value.trunc().to_bits() == value.to_bits() && value.to_bits() != 1 << 31 {
            self.signed(value as i64);
            return Ok(());
        }
        self.float_text(zmij::Buffer::new().format_finite(value));
        Ok(())
    }

    fn float_text(&mut self, text: &str) {
        // Without its decimal a negative zero would be read as an integer, which has none.
        let short = text.strip_suffix(".0").filter(|whole| *whole != "-0");
        self.out.short(short.unwrap_or(text).as_bytes());
    }

    #[cold]
    fn not_finite(&mut self, value: f64) -> Result<(), Halt> {
        let text: &[u8] = match value {
            f64::INFINITY => b"\"Infinity\"",
            f64::NEG_INFINITY => b"\"-Infinity\"",
            _ => b"\"NaN\"",
        };
        Ok(self.out.bytes(text)?)
    }

    /// Prints an enum value: its name, or its number when it has none.
    #[inline]
    fn enumerator(&mut self, field: &Field, number: i32) -> Result<(), Halt> {
        let declared = &self.schema.enums[field.target as usize];
        if declared.null {
            self.out.block(*b"null\0\0\0\0", 4);
            return Ok(());
        }
        match self.schema.enum_name(declared, number) {
            Some(name) if !self.options.enums_as_numbers => {
                Ok(self.out.copy(self.schema.text(), name.at as usize, name.len as usize)?)
            }
            _ => {
                self.signed(number.into());
                Ok(())
            }
        }
    }

    fn base64(&mut self, start: usize, end: usize) -> Result<(), Halt> {
        let bytes = &self.wire[start..end];
        let length = bytes.len().div_ceil(3) * 4;
        self.out.room(length + 2)?;
        self.out.byte(b'"');
        // The window is as long as the text.
        let written = STANDARD.encode_slice(bytes, self.out.window(length)).map_err(|_| Reason::TooLarge)?;
        self.out.advance(written);
        self.out.byte(b'"');
        Ok(())
    }

    /// Prints `wire[start..end]` as a string.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn string(&mut self, start: usize, end: usize) -> Result<(), Halt> {
        self.out.room(end - start + 2)?;
        self.out.byte(b'"');
        let mut at = start;
        let mut high = 0;
        while at < end {
            let left = end - at;
            let word = self.word(at, left);
            self.out.block(word.to_le_bytes(), left.min(8));
            high |= word;
            let found = special(word);
            if found == 0 {
                at += 8;
                continue;
            }
            let clean = found.trailing_zeros() as usize / 8;
            at += clean;
            self.out.rewind(self.out.pos() - (left.min(8) - clean));
            self.escape(at, end)?;
            at += 1;
        }
        self.out.byte(b'"');
        if high & HIGH != 0 && simdutf8::basic::from_utf8(&self.wire[start..end]).is_err() {
            return Err(Reason::InvalidUtf8.into());
        }
        Ok(())
    }

    /// Eight bytes of the wire; those behind the first `left` are spaces.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn word(&self, at: usize, left: usize) -> u64 {
        let word = match self.wire.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => self.wire[at..].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        if left >= 8 {
            return word;
        }
        let mask = (1 << (8 * left)) - 1;
        word & mask | SPACES & !mask
    }

    /// Prints the byte at `at` escaped, and makes room for what follows it.
    #[inline(never)]
    fn escape(&mut self, at: usize, end: usize) -> Result<(), Halt> {
        self.out.room(end - at + 8)?;
        let byte = self.wire[at];
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => 0,
        };
        if short != 0 {
            self.out.block([b'\\', short], 2);
            return Ok(());
        }
        let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
        self.out.block([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)], 6);
        Ok(())
    }
}
