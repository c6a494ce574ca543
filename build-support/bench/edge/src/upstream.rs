//! The server behind the proxies: gRPC in one thread, on bare HTTP/2, as fast as can be. It reads no message.

use std::{io::Write, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tokio::net::{TcpListener, TcpStream};

const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// Messages of the stream that ends.
pub(crate) const COPIES: usize = 100;
/// Between two messages of the stream that does not.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves until it is killed; tells its port.
pub(crate) fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?.port());
        std::io::stdout().flush()?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(connection(socket));
        }
    })
}

/// How a connection or a stream of it ends is for the proxy to see.
async fn connection(socket: TcpStream) -> Result<(), h2::Error> {
    let mut settings = Builder::new();
    settings.initial_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    // A proxy that is told to drop its clients resets their calls all at once.
    settings.max_concurrent_streams(4096).max_pending_accept_reset_streams(100_000);
    let mut connection = settings.handshake::<_, Bytes>(socket).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(answer(request, respond));
    }
    Ok(())
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    let message = whole(body).await?;
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let mut sink = respond.send_response(response, false)?;
    match head.uri.path().rsplit_once('/').map(|(_, method)| method) {
        Some("WatchItem") => watch(message, sink).await,
        Some("ListItems") => {
            // As tonic does with messages that are ready: all in one go.
            let mut copies = BytesMut::with_capacity(message.len() * COPIES);
            (0..COPIES).for_each(|_| copies.extend_from_slice(&message));
            end(copies.freeze(), &mut sink)
        }
        _ => end(message, &mut sink),
    }
}

async fn whole(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        if first.is_empty() && all.is_empty() {
            first = part;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&part);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn end(messages: Bytes, sink: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    sink.send_data(messages, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    sink.send_trailers(trailers)
}

async fn watch(message: Bytes, mut sink: SendStream<Bytes>) -> Result<(), h2::Error> {
    loop {
        sink.send_data(message.clone(), false)?;
        tokio::time::sleep(PAUSE).await;
    }
}
