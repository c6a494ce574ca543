//! The bodies of gRPC-Web.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use crate::{body::Body, grpc::framing};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The flag of the frame that holds the trailers.
const TRAILERS: u8 = 0x80;

/// What is no base64, or ends amid four characters.
#[derive(Debug, thiserror::Error)]
#[error("the body is not base64")]
struct NotBase64;

/// An answer with its trailers in the body.
pub(super) struct ToWeb {
    body: Body,
    is_text: bool,
}

impl ToWeb {
    pub(super) fn new(body: Body, is_text: bool) -> Self {
        Self { body, is_text }
    }
}

impl HttpBody for ToWeb {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)?) else { return Poll::Ready(None) };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => framing::frame(TRAILERS, &written(&frame.into_trailers().unwrap_or_default())).unwrap_or_default(),
        };
        // Each piece is padded by itself, so that it can be read as soon as it comes.
        let data = if self.is_text { STANDARD.encode(&data).into() } else { data };
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

/// Trailers as the lines of a header.
fn written(trailers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in trailers {
        lines.put_slice(name.as_str().as_bytes());
        lines.put_slice(b": ");
        lines.put_slice(value.as_bytes());
        lines.put_slice(b"\r\n");
    }
    lines.freeze()
}

/// A request out of base64, in pieces that may each be padded.
pub(super) struct FromText<B> {
    body: B,
    /// Characters of four that are not all there.
    begun: Vec<u8>,
}

impl<B> FromText<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, begun: Vec::new() }
    }

    fn read(&mut self, piece: &[u8]) -> Result<Bytes, NotBase64> {
        self.begun.extend_from_slice(piece);
        let whole = self.begun.len() / 4 * 4;
        let mut read = Vec::with_capacity(whole / 4 * 3);
        let mut rest = &self.begun[..whole];
        while !rest.is_empty() {
            // Padding ends a piece; another may follow.
            let padded = rest.iter().position(|character| *character == b'=').map_or(rest.len(), |at| (at / 4 + 1) * 4);
            let (segment, others) = rest.split_at(padded);
            STANDARD.decode_vec(segment, &mut read).map_err(|_| NotBase64)?;
            rest = others;
        }
        self.begun.drain(..whole);
        Ok(read.into())
    }
}

impl<B> HttpBody for FromText<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            None if self.begun.is_empty() => Poll::Ready(None),
            None => {
                self.begun.clear();
                Poll::Ready(Some(Err(NotBase64.into())))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Poll::Ready(Some(self.read(&data).map(Frame::data).map_err(Into::into))),
                // A request has no trailers.
                Err(_) => Poll::Ready(Some(Ok(Frame::data(Bytes::new())))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn base64_is_read_however_it_is_cut_and_padded() {
        let text = [STANDARD.encode("one"), STANDARD.encode("four"), STANDARD.encode("fifth")].concat();
        for size in 1..=text.len() {
            let mut from = FromText::new(());
            let read: Vec<u8> = text.as_bytes().chunks(size).flat_map(|piece| from.read(piece).unwrap()).collect();
            assert_eq!((read.as_slice(), from.begun.len()), (&b"onefourfifth"[..], 0), "pieces of {size}");
        }
        for broken in ["AA=A", "A\nAA", "====", "A==="] {
            assert!(FromText::new(()).read(broken.as_bytes()).is_err(), "{broken:?}");
        }
    }
}
