//! A gRPC client that sends exactly what it is told, right or wrong.

use std::pin::Pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use weft_call::{Code, Error};

use crate::house::House;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// One HTTP/2 connection to the edge.
pub(crate) struct Wire(SendRequest<Body>);

/// A call under way.
pub(crate) struct Exchange {
    pub(crate) requests: mpsc::Sender<Bytes>,
    response: Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>> + Send>>,
}

/// An answer under way.
pub(crate) struct Answer {
    headers: HeaderMap,
    body: Incoming,
    buffer: BytesMut,
    trailers: HeaderMap,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Vec<Bytes>,
    pub(crate) code: Code,
    pub(crate) error: Error,
}

/// A message with its gRPC frame.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

impl Wire {
    pub(crate) async fn open(house: &House) -> Self {
        let stream = TcpStream::connect(house.edge.local_addr).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Starts a call whose request is still open.
    pub(crate) fn start(&mut self, path: &str, headers: &[(&str, &str)]) -> Exchange {
        let (requests, frames) = mpsc::channel::<Bytes>(64);
        let frames = ReceiverStream::new(frames).map(|bytes| Ok(Frame::data(bytes)));
        let mut request = Request::post(format!("http://edge{path}")).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/grpc");
        }
        let request = request.body(StreamBody::new(frames).boxed_unsync()).unwrap();
        Exchange { requests, response: Box::pin(self.0.send_request(request)) }
    }

    /// Sends these frames and reads the whole answer.
    pub(crate) async fn call(&mut self, path: &str, headers: &[(&str, &str)], frames: &[Bytes]) -> Ended {
        let exchange = self.start(path, headers);
        for frame in frames {
            // A call that was refused already takes no more.
            let _ = exchange.requests.send(frame.clone()).await;
        }
        exchange.answer().await.end().await
    }
}

impl Exchange {
    /// Ends the request if nobody else holds its sender, and waits for the answer to begin.
    pub(crate) async fn answer(self) -> Answer {
        drop(self.requests);
        let (parts, body) = self.response.await.unwrap().into_parts();
        assert_eq!(parts.status, 200, "{:?}", parts.headers);
        Answer { headers: parts.headers, body, buffer: BytesMut::new(), trailers: HeaderMap::new() }
    }
}

impl Answer {
    /// The next message, or none at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(mut length) = self.buffer.get(1..5) {
                let length = length.get_u32() as usize;
                if self.buffer.len() >= 5 + length {
                    self.buffer.advance(5);
                    return Some(self.buffer.split_to(length).freeze());
                }
            }
            match self.body.frame().await?.unwrap().into_data() {
                Ok(data) => self.buffer.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().unwrap(),
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn end(mut self) -> Ended {
        let mut messages = Vec::new();
        while let Some(message) = self.next().await {
            messages.push(message);
        }
        // A call without messages may end in its headers.
        let end = if self.trailers.contains_key("grpc-status") { &self.trailers } else { &self.headers };
        let status = tonic::Status::from_header_map(end).expect("a gRPC answer ends with a status");
        let code = Code::from_number(status.code() as i32);
        Ended {
            headers: self.headers,
            messages,
            code,
            error: weft_call::status::decode(code, status.message(), status.details()),
        }
    }
}

impl Ended {
    /// The contract's reason of a failure.
    pub(crate) fn reason(&self) -> &str {
        self.error.reason_name().unwrap_or_default()
    }
}
