//! The bodies that come in and go out.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use weft_call::{Error, MeshReason, Result};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;

/// The body of a request to a domain, whatever it was in.
pub(crate) type Inbound = UnsyncBoxBody<Bytes, BrokenOff>;

/// A request's body that cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the request's body broke off: {0}")]
pub(crate) struct BrokenOff(BoxError);

/// A client's body that nobody reads to its end is still taken off the connection for a moment ("lingering close"): over
/// HTTP/1.1 a client that is cut off amid its request never reads the answer. Over HTTP/2 the stream ends by itself.
pub(crate) struct Lingering {
    body: Option<Incoming>,
    lingers: bool,
}

impl Lingering {
    pub(crate) fn new(body: Incoming, version: Version) -> Self {
        Self { body: Some(body), lingers: version < Version::HTTP_2 }
    }
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        /// Bytes of a body that are still taken.
        const LARGEST: usize = 256 * 1024;
        /// How long they are waited for.
        const PATIENCE: Duration = Duration::from_secs(1);
        let Some(body) = self.body.take() else { return };
        if self.lingers && !body.is_end_stream() {
            tokio::spawn(tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()));
        }
    }
}

/// A request's body that comes from a client.
pub(crate) fn inbound<B>(body: B) -> Inbound
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(|error| BrokenOff(error.into())).boxed_unsync()
}

/// A body that is all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is all there, with trailers.
pub(crate) fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> Body {
    let frames = [Ok(Frame::data(bytes.into())), Ok(Frame::trailers(trailers))];
    StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync()
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes from elsewhere.
pub(crate) fn passed_on<B>(body: B) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}

/// Bytes of one body that are read before others have their turn: a client that sends quickly is not to be all that a thread
/// listens to.
const TURN: usize = 128 * 1024;

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read<B>(body: B, limit: usize) -> Result<Bytes>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let too_large = || Error::new(MeshReason::MessageTooLarge, format!("the body is larger than {limit} bytes"));
    // A client that says so beforehand is told before it has sent it all.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let (mut body, mut read) = (pin!(body), BytesMut::new());
    // Mostly the first piece is all of it.
    let mut first = Bytes::new();
    let mut turn = 0;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Error::new(MeshReason::CallCancelled, "the body ended too early").with_source(error))?;
        let Ok(piece) = frame.into_data() else { continue };
        if first.len() + read.len() + piece.len() > limit {
            return Err(too_large());
        }
        turn += piece.len();
        if first.is_empty() && read.is_empty() {
            first = piece;
        } else {
            read.extend_from_slice(&std::mem::take(&mut first));
            read.extend_from_slice(&piece);
        }
        if turn >= TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(if read.is_empty() { first } else { read.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert!(read(full("four"), 4).await.is_ok_and(|body| body == "four"));
        let error = read(full("four"), 3).await.err();
        assert_eq!(error.and_then(|error| error.reason()), Some(MeshReason::MessageTooLarge));
    }

    fn pieces(pieces: [&'static str; 3]) -> Body {
        let pieces = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
        StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_read_up_to_its_limit() {
        assert!(read(pieces(["", "a", "bcd"]), 4).await.is_ok_and(|body| body == "abcd"));
        assert!(read(pieces(["a", "", "bcd"]), 4).await.is_ok_and(|body| body == "abcd"));
        let error = read(pieces(["a", "bcd", "e"]), 4).await.err();
        assert_eq!(error.and_then(|error| error.reason()), Some(MeshReason::MessageTooLarge));
    }
}
