//! The bodies that come in and go out.

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt, Empty, Full, LengthLimitError, Limited, StreamBody, combinators::UnsyncBoxBody};
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
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(Error::new(MeshReason::CallCancelled, "the body ended too early").with_source(error)),
    }
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
}
