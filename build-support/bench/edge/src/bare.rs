//! The ceiling: a proxy on the same parts as the edge, which does nothing that can be left out. One thread, one connection
//! to the server, no error is answered.

mod passage;

use std::{convert::Infallible, io::Write, sync::Arc};

use anyhow::{Context, anyhow};
use bytes::{Buf, Bytes};
use h2::client::SendRequest;
use http::{Method, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use weft_transcode::{PrintOptions, RequestBuilder, RequestOptions, Router, Schema};

use crate::DESCRIPTORS;

/// Before each message of gRPC.
const HEADER: usize = 5;

struct Proxy {
    schema: Schema,
    router: Router,
    options: RequestOptions,
    origin: Uri,
    paths: Vec<Uri>,
    upstream: SendRequest<Bytes>,
}

/// Serves until it is killed; tells its port.
pub(crate) fn serve(upstream: u16) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let proxy = Arc::new(Proxy::connect(upstream).await?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?.port());
        std::io::stdout().flush()?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let proxy = Arc::clone(&proxy);
            if is_http2(&socket).await? {
                tokio::spawn(passage::serve(socket, proxy.upstream.clone(), proxy.origin.clone()));
                continue;
            }
            let service = service_fn(move |request| {
                let proxy = Arc::clone(&proxy);
                async move { Ok::<_, Infallible>(proxy.answer(request).await.unwrap_or_else(|error| failed(&error))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
        }
    })
}

/// Whether the client begins as HTTP/2 does (RFC 9113 section 3.4), and not with a method.
async fn is_http2(socket: &TcpStream) -> anyhow::Result<bool> {
    let mut begin = [0; 3];
    socket.peek(&mut begin).await?;
    Ok(&begin == b"PRI")
}

fn failed(error: &anyhow::Error) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(error.to_string().into()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

impl Proxy {
    async fn connect(upstream: u16) -> anyhow::Result<Self> {
        let schema = Schema::from_descriptor_set(DESCRIPTORS)?;
        let router = Router::build_for(&schema, |_| true)?;
        let origin = format!("http://127.0.0.1:{upstream}");
        let path = |method: &weft_transcode::Method| format!("{origin}{}", method.grpc_path()).parse();
        let paths = schema.methods().iter().map(path).collect::<Result<_, _>>()?;
        let socket = TcpStream::connect(("127.0.0.1", upstream)).await?;
        socket.set_nodelay(true)?;
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(1024 * 1024).initial_connection_window_size(4 * 1024 * 1024);
        let (upstream, connection) = settings.handshake(socket).await?;
        tokio::spawn(connection);
        let (options, origin) = (RequestOptions::default(), origin.parse()?);
        Ok(Self { schema, router, options, origin, paths, upstream: upstream.ready().await? })
    }

    async fn answer(&self, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let found = self.router.find(parts.method.as_str(), parts.uri.path()).map_err(|error| anyhow!("{error:?}"))?;
        let builder = RequestBuilder::new(&self.schema, &found, parts.uri.query(), &self.options)?;
        let mut frame = vec![0; HEADER];
        builder.message(&body, &mut frame)?;
        let length = u32::try_from(frame.len() - HEADER)?;
        frame[1..HEADER].copy_from_slice(&length.to_be_bytes());

        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.paths[found.binding.method_index()].clone();
        request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert(header::TE, header::HeaderValue::from_static("trailers"));
        let (answer, mut sink) = self.upstream.clone().send_request(request, false)?;
        sink.send_data(frame.into(), true)?;

        let mut answer = answer.await?.into_body();
        let mut text = Vec::new();
        // Messages that are cut are none of the benchmark's.
        while let Some(part) = answer.data().await {
            let mut part = part?;
            answer.flow_control().release_capacity(part.len())?;
            while part.has_remaining() {
                let length = part.get(1..HEADER).context("a cut message")?.get_u32() as usize;
                part.advance(HEADER);
                let message = part.split_to(length);
                found.binding.response_body(&self.schema, &message, &PrintOptions::default(), &mut text)?;
                text.push(b'\n');
            }
        }
        answer.trailers().await?.context("no trailers")?;
        let mut response = Response::new(Full::new(text.into()));
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        Ok(response)
    }
}
