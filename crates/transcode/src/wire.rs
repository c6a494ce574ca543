//! The protobuf wire format: varints, tags, skipping (protobuf.dev/programming-guides/encoding).

use crate::error::Reason;

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const LEN: u32 = 2;
pub(crate) const START_GROUP: u32 = 3;
pub(crate) const END_GROUP: u32 = 4;
pub(crate) const FIXED32: u32 = 5;

/// The largest field number.
pub(crate) const MAX_FIELD_NUMBER: u32 = (1 << 29) - 1;

pub(crate) type Read<T> = Result<T, Reason>;

/// Reads a varint at `pos` and moves behind it.
#[inline(always)]
pub(crate) fn varint(wire: &[u8], pos: &mut usize) -> Read<u64> {
    match wire.get(*pos) {
        Some(&byte) if byte < 0x80 => {
            *pos += 1;
            Ok(u64::from(byte))
        }
        Some(&byte) => match wire.get(*pos + 1) {
            Some(&second) if second < 0x80 => {
                *pos += 2;
                Ok(u64::from(byte & 0x7f) | u64::from(second) << 7)
            }
            _ => long_varint(wire, pos),
        },
        None => Err(Reason::Truncated),
    }
}

fn long_varint(wire: &[u8], pos: &mut usize) -> Read<u64> {
    let rest = &wire[*pos..];
    let mut value = 0u64;
    for (i, &byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            // The tenth byte has room for one bit: more would not fit 64.
            if i == 9 && byte > 1 {
                return Err(Reason::InvalidVarint);
            }
            *pos += i + 1;
            return Ok(value);
        }
    }
    Err(if rest.len() < 10 { Reason::Truncated } else { Reason::InvalidVarint })
}

/// Reads a tag: field number and wire type, still in one number.
#[inline(always)]
pub(crate) fn tag(wire: &[u8], pos: &mut usize) -> Read<u32> {
    let tag = varint(wire, pos)?;
    if tag < 8 || tag > u64::from(u32::MAX) || tag & 7 > 5 {
        return Err(Reason::InvalidTag);
    }
    Ok(tag as u32)
}

/// Reads a length and returns the end of what it measures.
#[inline(always)]
pub(crate) fn length(wire: &[u8], pos: &mut usize) -> Read<usize> {
    let length = varint(wire, pos)?;
    if length > (wire.len() - *pos) as u64 {
        return Err(Reason::Truncated);
    }
    Ok(*pos + length as usize)
}

#[inline(always)]
pub(crate) fn fixed32(wire: &[u8], pos: &mut usize) -> Read<u32> {
    let bytes = wire.get(*pos..).and_then(<[u8]>::first_chunk::<4>).ok_or(Reason::Truncated)?;
    *pos += 4;
    Ok(u32::from_le_bytes(*bytes))
}

#[inline(always)]
pub(crate) fn fixed64(wire: &[u8], pos: &mut usize) -> Read<u64> {
    let bytes = wire.get(*pos..).and_then(<[u8]>::first_chunk::<8>).ok_or(Reason::Truncated)?;
    *pos += 8;
    Ok(u64::from_le_bytes(*bytes))
}

/// Moves behind the value whose tag was just read.
pub(crate) fn skip(wire: &[u8], pos: &mut usize, tag: u32, depth: usize) -> Read<()> {
    match tag & 7 {
        VARINT => varint(wire, pos).map(drop),
        FIXED64 => fixed64(wire, pos).map(drop),
        LEN => {
            *pos = length(wire, pos)?;
            Ok(())
        }
        START_GROUP => group_end(wire, pos, tag, depth).map(drop),
        FIXED32 => fixed32(wire, pos).map(drop),
        _ => Err(Reason::UnbalancedGroup),
    }
}

/// Moves behind a group whose start tag was just read; returns where its end tag begins.
pub(crate) fn group_end(wire: &[u8], pos: &mut usize, start: u32, depth: usize) -> Read<usize> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Reason::TooDeep);
    };
    loop {
        if *pos >= wire.len() {
            return Err(Reason::UnbalancedGroup);
        }
        let at = *pos;
        let inner = tag(wire, pos)?;
        if inner & 7 == END_GROUP {
            return if inner >> 3 == start >> 3 { Ok(at) } else { Err(Reason::UnbalancedGroup) };
        }
        skip(wire, pos, inner, depth)?;
    }
}

/// Undoes the `ZigZag` of `sint32` and `sint64`.
#[inline(always)]
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The `ZigZag` of `sint32` and `sint64`.
#[inline(always)]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}
