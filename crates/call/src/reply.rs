//! What a handler answers: a message, and what an HTTP client should see beside it.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;

/// A message with an HTTP status, headers and trailers.
///
/// The status is a hint that the edge follows; gRPC clients see OK and the message. Handlers
/// mostly end with `Ok(message.into())`.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The answer.
    pub message: T,
    /// The HTTP status; 200 if none is said.
    pub status: Option<u16>,
    /// Sent before the message: HTTP headers at the edge, initial metadata in gRPC.
    pub headers: HeaderMap,
    /// Sent after the last message.
    pub trailers: HeaderMap,
}

impl<T> Reply<T> {
    /// The message and nothing else.
    pub fn new(message: T) -> Self {
        Self { message, status: None, headers: HeaderMap::new(), trailers: HeaderMap::new() }
    }

    /// 201 with the `Location` of what was made. A location that is no header value is left out.
    pub fn created(message: T, location: impl AsRef<str>) -> Self {
        let mut reply = Self::new(message).with_status(201);
        if let Ok(location) = HeaderValue::from_str(location.as_ref()) {
            reply.headers.insert(http::header::LOCATION, location);
        }
        reply
    }

    /// 202: the change will be made later.
    pub fn accepted(message: T) -> Self {
        Self::new(message).with_status(202)
    }

    /// With another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// With a trailer.
    #[must_use]
    pub fn with_trailer(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.trailers.append(name, value);
        self
    }

    /// The same with another message.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Reply<U> {
        Reply { message: change(self.message), status: self.status, headers: self.headers, trailers: self.trailers }
    }

    /// The message alone.
    pub fn into_message(self) -> T {
        self.message
    }
}

impl<T> From<T> for Reply<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// A reply as idempotency records keep it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stored {
    #[prost(bytes = "vec", tag = "1")]
    message: Vec<u8>,
    #[prost(uint32, tag = "2")]
    status: u32,
    #[prost(btree_map = "string, string", tag = "3")]
    headers: BTreeMap<String, String>,
}

pub(crate) fn store<M: Message>(reply: &Reply<M>) -> Vec<u8> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    let headers = reply.headers.iter().filter_map(text).collect();
    Stored { message: reply.message.encode_to_vec(), status: reply.status.map_or(0, u32::from), headers }.encode_to_vec()
}

pub(crate) fn restore<M: Message + Default>(bytes: &[u8]) -> Result<Reply<M>, prost::DecodeError> {
    let stored = Stored::decode(bytes)?;
    let mut reply = Reply::new(M::decode(stored.message.as_slice())?);
    reply.status = u16::try_from(stored.status).ok().filter(|status| *status != 0);
    for (name, value) in &stored.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            reply.headers.append(name, value);
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;

    #[test]
    fn a_stored_reply_keeps_its_message_status_and_location() {
        let reply = Reply::created("made".to_owned(), "/api/v1/things/1");
        let restored = <Reply<String> as Answer>::from_bytes(&reply.to_bytes());
        assert!(restored.is_ok_and(|restored| restored.message == "made"
            && restored.status == Some(201)
            && restored.headers.get("location").is_some_and(|location| location == "/api/v1/things/1")));
    }
}
