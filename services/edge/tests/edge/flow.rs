//! An HTTP client whose bodies flow both ways.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use crate::house::House;

type Outgoing = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Version {
    One,
    Two,
}

/// A request under way.
pub(crate) struct Flow {
    /// Pieces of the request's body; dropping it ends the body.
    pub(crate) pieces: Option<mpsc::Sender<Bytes>>,
    response: tokio::task::JoinHandle<hyper::Result<Response<Incoming>>>,
}

/// An answer under way.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    body: Incoming,
}

/// A connection of its own, and a request on it.
pub(crate) async fn begin(house: &House, version: Version, request: http::request::Builder) -> Flow {
    let (pieces, body) = mpsc::channel::<Bytes>(1);
    let body: Outgoing = StreamBody::new(ReceiverStream::new(body).map(|piece| Ok(Frame::data(piece)))).boxed_unsync();
    let stream = TokioIo::new(TcpStream::connect(house.edge.local_addr).await.unwrap());
    let request = request.body(body).unwrap();
    let response = match version {
        Version::One => {
            let (mut sender, connection) = http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            tokio::spawn(async move { sender.send_request(request).await })
        }
        Version::Two => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            tokio::spawn(async move { sender.send_request(request).await })
        }
    };
    Flow { pieces: Some(pieces), response }
}

/// A GET for this path.
pub(crate) async fn get(house: &House, version: Version, path: &str, accept: &str) -> Answer {
    let mut flow = begin(house, version, Request::get(house.url(path)).header("host", "edge").header("accept", accept)).await;
    flow.pieces = None;
    flow.answer().await
}

impl Flow {
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) {
        self.pieces.as_ref().unwrap().send(piece.into()).await.unwrap();
    }

    pub(crate) async fn answer(self) -> Answer {
        let response = tokio::time::timeout(Duration::from_secs(10), self.response).await.expect("the answer begins in time");
        let (parts, body) = response.unwrap().unwrap().into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, trailers: HeaderMap::new(), body }
    }
}

impl Answer {
    /// The next piece: none at the end, an error if the body broke off.
    pub(crate) async fn next(&mut self) -> Option<hyper::Result<Bytes>> {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await.expect("a piece comes in time");
            match frame?.map(Frame::into_data) {
                Ok(Ok(data)) => return Some(Ok(data)),
                Ok(Err(frame)) => self.trailers = frame.into_trailers().unwrap(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The next piece as text.
    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8(self.next().await.unwrap().unwrap().to_vec()).unwrap()
    }

    /// All that comes, and whether it came to its end.
    pub(crate) async fn all(&mut self) -> (String, bool) {
        let mut text = Vec::new();
        loop {
            match self.next().await {
                Some(Ok(piece)) => text.extend_from_slice(&piece),
                end => return (String::from_utf8(text).unwrap(), end.is_none()),
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}
