//! The one buffer that a translation writes.
//!
//! Bytes behind `pos` are zeroed room. So a short copy can move whole 16-byte blocks, garbage past its end included,
//! and the next write covers the garbage: the compiler makes two instructions of it where a copy of unknown length
//! is a call. The room is cut off in [`Output::finish`].

use crate::error::Reason;

/// What a block copy may write past the bytes it counts.
const SLACK: usize = 32;

pub(crate) struct Output {
    buf: Vec<u8>,
    pos: usize,
    start: usize,
    limit: usize,
}

impl Output {
    /// Continues `out` and expects about `estimate` bytes.
    pub(crate) fn append(out: &mut Vec<u8>, estimate: usize, limit: usize) -> Self {
        let mut buf = std::mem::take(out);
        let start = buf.len();
        let room = start + estimate.min(limit) + SLACK;
        if buf.capacity() == 0 {
            // Fresh memory comes zeroed from the system: nothing to fill.
            buf = vec![0; room];
        } else {
            buf.resize(room, 0);
        }
        Self { buf, pos: start, start, limit: limit.saturating_add(start).min(u32::MAX as usize) }
    }

    /// Gives the buffer back: with what was written, or as it came when the translation failed.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>, keep: bool) {
        self.buf.truncate(if keep { self.pos } else { self.start });
        *out = self.buf;
    }

    #[inline(always)]
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// Forgets what was written behind `pos`.
    #[inline(always)]
    pub(crate) fn rewind(&mut self, pos: usize) {
        self.pos = pos;
    }

    pub(crate) fn check_limit(&self) -> Result<(), Reason> {
        if self.pos > self.limit { Err(Reason::TooLarge) } else { Ok(()) }
    }

    /// Makes sure that `n` bytes and a block can be written.
    #[inline(always)]
    pub(crate) fn room(&mut self, n: usize) -> Result<(), Reason> {
        if self.buf.len() - self.pos < n + SLACK { self.grow(n) } else { Ok(()) }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, n: usize) -> Result<(), Reason> {
        self.check_limit()?;
        let wanted = (self.pos + n + SLACK).max((self.buf.len() * 2).min(self.limit.saturating_add(SLACK)));
        self.buf.resize(wanted, 0);
        Ok(())
    }

    /// Writes one byte. Room for it must be there.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.buf[self.pos] = byte;
        self.pos += 1;
    }

    /// Writes `block` but counts only `n` bytes of it. Room for the block must be there.
    #[inline(always)]
    pub(crate) fn block<const N: usize>(&mut self, block: [u8; N], n: usize) {
        self.buf[self.pos..self.pos + N].copy_from_slice(&block);
        self.pos += n;
    }

    /// Writes `n` bytes of `source` from `at`. Makes room.
    #[inline(always)]
    pub(crate) fn copy(&mut self, source: &[u8], at: usize, n: usize) -> Result<(), Reason> {
        self.room(n)?;
        self.copy_in_room(source, at, n);
        Ok(())
    }

    /// Writes `n` bytes of `source` from `at`. Room must be there.
    #[inline(always)]
    pub(crate) fn copy_in_room(&mut self, source: &[u8], at: usize, n: usize) {
        if n <= 32
            && let Some(from) = source.get(at..at + 32)
        {
            let to = &mut self.buf[self.pos..self.pos + 32];
            to[..16].copy_from_slice(&from[..16]);
            if n > 16 {
                to[16..].copy_from_slice(&from[16..]);
            }
        } else {
            self.buf[self.pos..self.pos + n].copy_from_slice(&source[at..at + n]);
        }
        self.pos += n;
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        self.copy(bytes, 0, bytes.len())
    }

    /// Writes a text of up to 24 bytes, such as a number. Room for it must be there.
    #[inline(always)]
    pub(crate) fn short(&mut self, text: &[u8]) {
        let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) else {
            return text.iter().for_each(|byte| self.byte(*byte));
        };
        let window = &mut self.buf[self.pos..self.pos + text.len()];
        window[..8].copy_from_slice(head);
        if text.len() > 16 {
            window[8..16].copy_from_slice(&text[8..16]);
        }
        let end = text.len();
        window[end - 8..].copy_from_slice(tail);
        self.pos += end;
    }

    /// Overwrites the byte at `at`.
    #[inline(always)]
    pub(crate) fn patch(&mut self, at: usize, byte: u8) {
        self.buf[at] = byte;
    }

    /// The next `n` bytes of room, to be counted with [`Output::advance`].
    #[inline(always)]
    pub(crate) fn window(&mut self, n: usize) -> &mut [u8] {
        &mut self.buf[self.pos..self.pos + n]
    }

    #[inline(always)]
    pub(crate) fn advance(&mut self, n: usize) {
        self.pos += n;
    }

    /// Writes a varint. Room for ten bytes must be there.
    #[inline(always)]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// Reserves the shortest length; [`Output::end_length`] widens it when that was not enough. Makes room.
    #[inline(always)]
    pub(crate) fn begin_length(&mut self) -> Result<usize, Reason> {
        self.room(1)?;
        self.pos += 1;
        Ok(self.pos)
    }

    /// Writes the length of what follows `begin`.
    #[inline(always)]
    pub(crate) fn end_length(&mut self, begin: usize) -> Result<(), Reason> {
        let length = self.pos - begin;
        if length < 0x80 {
            self.buf[begin - 1] = length as u8;
            return Ok(());
        }
        self.widen_length(begin, length)
    }

    fn widen_length(&mut self, begin: usize, length: usize) -> Result<(), Reason> {
        self.room(10)?;
        let end = self.pos;
        let extra = (length.ilog2() / 7) as usize;
        self.buf.copy_within(begin..end, begin + extra);
        self.pos = begin - 1;
        self.varint(length as u64);
        self.pos = end + extra;
        Ok(())
    }

    /// What was written since `pos`.
    pub(crate) fn since(&self, pos: usize) -> &[u8] {
        &self.buf[pos..self.pos]
    }
}
