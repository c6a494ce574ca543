//! One message as gRPC puts it on the wire, for the ends of a call that have one and no stream.
//!
//! Source: "gRPC over HTTP/2", Length-Prefixed-Message. Streams of messages have tonic's framing;
//! one message needs no decoder that outlives a poll and no buffer that might grow, which is what
//! most calls would spend their memory on.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tonic::Status;
use weft_call::{Error, MeshReason, Result};

use crate::{MESSAGE_LIMIT, status::error_from_status};

/// A flag and a length of four bytes.
const PREFIX: usize = 5;

/// The body of an answer with one message.
#[derive(Debug)]
pub(crate) struct OneMessage {
    framed: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl OneMessage {
    /// The body of an answer that succeeds, with trailers beside gRPC's own.
    pub(crate) fn answer(message: &[u8], mut trailers: HeaderMap) -> Result<Self> {
        let framed = Some(framed(message)?);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Ok(Self { framed, trailers: Some(trailers) })
    }
}

impl http_body::Body for OneMessage {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.framed.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.framed.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.framed.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// The message with its prefix: all that a request's body holds.
pub(crate) fn framed(message: &[u8]) -> Result<Bytes> {
    let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= MESSAGE_LIMIT).ok_or_else(too_large)?;
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.put_slice(message);
    Ok(framed.freeze())
}

/// Reads a body to its end: its only message, and the trailers.
pub(crate) async fn read<B>(mut body: B) -> Result<(Bytes, HeaderMap)>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut held, mut trailers) = (Held::default(), HeaderMap::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error_from_status(&Status::from_error(error.into())))?;
        match frame.into_data() {
            Ok(data) => held.add(data)?,
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((held.message(&trailers)?, trailers))
}

/// What has come of a body.
#[derive(Default)]
struct Held {
    /// All of it, if it came in one piece.
    whole: Bytes,
    /// All of it, if it came in several.
    pieces: BytesMut,
}

impl Held {
    fn add(&mut self, data: Bytes) -> Result<()> {
        if self.bytes().is_empty() {
            self.whole = data;
        } else {
            self.pieces.extend_from_slice(&std::mem::take(&mut self.whole));
            self.pieces.extend_from_slice(&data);
        }
        match self.announced()? {
            Some(announced) if self.bytes().len() > announced => {
                Err(Error::new(MeshReason::MalformedMessage, "more than one message came where one is expected"))
            }
            _ => Ok(()),
        }
    }

    fn bytes(&self) -> &[u8] {
        if self.pieces.is_empty() { &self.whole } else { &self.pieces }
    }

    /// How long the body is to be, once its prefix has come.
    fn announced(&self) -> Result<Option<usize>> {
        let Some(([flag, length @ ..], _)) = self.bytes().split_first_chunk::<PREFIX>() else { return Ok(None) };
        if *flag != 0 {
            return Err(Error::new(MeshReason::MalformedMessage, "compressed messages are not taken inside the mesh"));
        }
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MESSAGE_LIMIT { Err(too_large()) } else { Ok(Some(PREFIX + length)) }
    }

    /// The message, if all of it is there. Without it, an answer's status says why.
    fn message(self, trailers: &HeaderMap) -> Result<Bytes> {
        if let Some(status) = Status::from_header_map(trailers).filter(|status| status.code() != tonic::Code::Ok) {
            return Err(error_from_status(&status));
        }
        if self.announced()? != Some(self.bytes().len()) {
            return Err(Error::new(MeshReason::MalformedMessage, "no whole message came where one is expected"));
        }
        let all = if self.pieces.is_empty() { self.whole } else { self.pieces.freeze() };
        Ok(all.slice(PREFIX..))
    }
}

fn too_large() -> Error {
    Error::new(MeshReason::MessageTooLarge, "a message is larger than the limit")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use http_body_util::StreamBody;
    use weft_call::Code;

    use super::*;

    /// Reads what comes in these pieces, and then these trailers.
    async fn pieces(data: &[&[u8]], trailers: HeaderMap) -> Result<Bytes> {
        let data = data.iter().map(|piece| Frame::data(Bytes::copy_from_slice(piece)));
        let frames: Vec<_> = data.chain([Frame::trailers(trailers)]).map(Ok::<_, Infallible>).collect();
        read(StreamBody::new(futures_util::stream::iter(frames))).await.map(|(message, _)| message)
    }

    fn reason(result: &Result<Bytes>) -> Option<MeshReason> {
        result.as_ref().err().and_then(Error::reason)
    }

    #[tokio::test]
    async fn a_message_reads_back_with_its_trailers() {
        let mut extra = HeaderMap::new();
        extra.insert("x-more", HeaderValue::from_static("1"));
        for message in [b"".as_slice(), b"hello", &vec![7; 100_000]] {
            let (read, trailers) = read(OneMessage::answer(message, extra.clone()).unwrap()).await.unwrap();
            assert_eq!(read, message);
            assert_eq!((trailers["grpc-status"].as_bytes(), trailers["x-more"].as_bytes()), (b"0".as_slice(), b"1".as_slice()));
        }
    }

    #[tokio::test]
    async fn a_message_may_come_in_any_pieces() {
        let framed = framed(b"hello").unwrap();
        for at in 0..framed.len() {
            let (a, b) = framed.split_at(at);
            assert_eq!(pieces(&[a, b"", b], HeaderMap::new()).await.unwrap(), "hello");
        }
    }

    #[tokio::test]
    async fn what_is_not_one_whole_message_is_refused() {
        let cases: [&[&[u8]]; 5] = [&[], &[b"\0\0\0\0"], &[b"\0\0\0\0\x05hell"], &[b"\0\0\0\0\x01ab"], &[b"\x01\0\0\0\x01a"]];
        for case in cases {
            assert_eq!(reason(&pieces(case, HeaderMap::new()).await), Some(MeshReason::MalformedMessage), "{case:?}");
        }
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_refused_before_it_has_come() {
        assert_eq!(reason(&pieces(&[b"\0\xff\xff\xff\xff"], HeaderMap::new()).await), Some(MeshReason::MessageTooLarge));
        let refused = framed(&vec![0; MESSAGE_LIMIT + 1]);
        assert_eq!(reason(&refused), Some(MeshReason::MessageTooLarge));
    }

    #[tokio::test]
    async fn an_answers_status_goes_before_its_message() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("5"));
        let refused = pieces(&[b"\0\0\0\0\x01a"], trailers).await;
        assert_eq!(refused.err().map(|error| error.code()), Some(Code::NotFound));
    }
}
