//! A client of gRPC on bare HTTP/2.

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use http::{HeaderValue, Method, Request, Uri, Version, header, uri::PathAndQuery};
use tokio::net::TcpStream;

/// A connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection(SendRequest<Bytes>);

impl Connection {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let (requests, connection) = Builder::new().handshake(socket).await?;
        tokio::spawn(connection);
        Ok(Self(requests.ready().await?))
    }

    /// Makes a call and gives what was answered, framed; its status must be OK.
    pub(crate) async fn exchange(&mut self, path: &'static str, frame: &Bytes) -> anyhow::Result<Bytes> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let uri = Uri::builder().scheme("http").authority("localhost").path_and_query(PathAndQuery::from_static(path));
        *request.uri_mut() = uri.build()?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        let (answer, mut sink) = self.0.send_request(request, false)?;
        sink.send_data(frame.clone(), true)?;
        let mut body = answer.await?.into_body();
        let mut all = BytesMut::new();
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            all.extend_from_slice(&part);
        }
        let trailers = body.trailers().await?.context("an answer without trailers")?;
        let status = trailers.get("grpc-status");
        ensure!(status.is_some_and(|status| status == "0"), "the call failed: {trailers:?}");
        Ok(all.freeze())
    }
}
