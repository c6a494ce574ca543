//! Messages with their frames: a byte of flags, four of length, the message (gRPC over HTTP/2, "Length-Prefixed-Message";
//! gRPC-Web and Connect's streams frame alike).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes before a message.
const HEADER: usize = 5;

/// A buffer with room for the frame's header, behind which the message is to be written.
pub(crate) fn begin(capacity: usize) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + capacity);
    frame.resize(HEADER, 0);
    frame
}

/// Writes the header of the message in the buffer; `None` if its length has no room in four bytes.
pub(crate) fn seal(mut frame: Vec<u8>) -> Option<Bytes> {
    let length = u32::try_from(frame.len().checked_sub(HEADER)?).ok()?;
    frame[1..HEADER].copy_from_slice(&length.to_be_bytes());
    Some(frame.into())
}

/// A message and the flags of its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) flags: u8,
    pub(crate) message: Bytes,
}

/// A message longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message is longer than {0} bytes")]
pub(crate) struct TooLong(usize);

/// Cuts messages out of pieces. A message that lies in one piece is not copied.
#[derive(Debug)]
pub(crate) struct Deframer {
    piece: Bytes,
    /// What began in pieces before; the next piece goes on from there.
    begun: BytesMut,
    limit: usize,
}

impl Deframer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { piece: Bytes::new(), begun: BytesMut::new(), limit }
    }

    /// Takes the next piece. All messages of the one before must have been taken out.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.begun.is_empty() && self.piece.is_empty() {
            self.piece = piece;
        } else {
            self.begun.extend_from_slice(&std::mem::take(&mut self.piece));
            self.begun.extend_from_slice(&piece);
        }
    }

    /// The next message that is whole.
    pub(crate) fn next(&mut self) -> Result<Option<Envelope>, TooLong> {
        let bytes = if self.begun.is_empty() { &self.piece[..] } else { &self.begun[..] };
        let Some(mut header) = bytes.get(..HEADER) else { return Ok(None) };
        let (flags, length) = (header.get_u8(), header.get_u32() as usize);
        if length > self.limit {
            return Err(TooLong(self.limit));
        }
        let end = HEADER + length;
        if bytes.len() < end {
            self.begun.reserve(end - self.begun.len());
            return Ok(None);
        }
        let message = if self.begun.is_empty() {
            self.piece.split_to(end).slice(HEADER..)
        } else {
            self.begun.split_to(end).freeze().slice(HEADER..)
        };
        Ok(Some(Envelope { flags, message }))
    }

    /// Whether a message has begun that is not whole.
    pub(crate) fn is_amid_message(&self) -> bool {
        !self.piece.is_empty() || !self.begun.is_empty()
    }
}

/// A message behind its frame's header.
pub(crate) fn frame(flags: u8, message: &[u8]) -> Option<Bytes> {
    let length = u32::try_from(message.len()).ok()?;
    let mut frame = BytesMut::with_capacity(HEADER + message.len());
    frame.put_u8(flags);
    frame.put_u32(length);
    frame.put_slice(message);
    Some(frame.freeze())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn messages_come_out_whole_however_their_bytes_are_cut() {
        let messages = [&b"first"[..], b"", b"the third one"];
        let whole: Vec<u8> = messages.iter().flat_map(|message| frame(0, message).unwrap().to_vec()).collect();
        for size in 1..=whole.len() {
            let (mut deframer, mut out) = (Deframer::new(100), Vec::new());
            for piece in whole.chunks(size) {
                deframer.push(Bytes::copy_from_slice(piece));
                while let Some(envelope) = deframer.next().unwrap() {
                    out.push(envelope.message);
                }
            }
            assert_eq!(out, messages, "pieces of {size}");
            assert!(!deframer.is_amid_message());
        }
    }

    #[test]
    fn a_message_that_claims_too_much_is_refused_before_it_comes() {
        let mut deframer = Deframer::new(4);
        deframer.push(Bytes::from_static(&[1, 0, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0, 5]));
        assert_eq!(deframer.next(), Ok(Some(Envelope { flags: 1, message: Bytes::from_static(&[1, 2, 3, 4]) })));
        assert_eq!(deframer.next(), Err(TooLong(4)));
    }

    #[test]
    fn a_sealed_frame_holds_its_length() {
        let mut buffer = begin(3);
        buffer.extend_from_slice(b"abc");
        assert_eq!(seal(buffer), frame(0, b"abc"));
        assert_eq!(seal(Vec::new()), None);
    }
}
