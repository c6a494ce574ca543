//! gRPC from one HTTP/2 connection to another, a task for each call.

use anyhow::Context;
use bytes::Bytes;
use h2::{RecvStream, client::SendRequest, server::SendResponse};
use http::{Request, Response, Uri};
use tokio::net::TcpStream;

/// Passes on what comes on a connection until it ends.
pub(super) async fn serve(socket: TcpStream, upstream: SendRequest<Bytes>, origin: Uri) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(pass(request, respond, upstream.clone(), origin.clone()));
    }
    Ok(())
}

async fn pass(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    mut upstream: SendRequest<Bytes>,
    origin: Uri,
) -> anyhow::Result<()> {
    let (mut head, mut body) = request.into_parts();
    let mut uri = origin.into_parts();
    uri.path_and_query = head.uri.path_and_query().cloned();
    head.uri = Uri::from_parts(uri)?;
    let (answer, mut sink) = upstream.send_request(Request::from_parts(head, ()), false)?;
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        sink.send_data(part, body.is_end_stream())?;
    }
    let (head, mut body) = answer.await?.into_parts();
    let mut sink = respond.send_response(Response::from_parts(head, ()), false)?;
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        sink.send_data(part, false)?;
    }
    Ok(sink.send_trailers(body.trailers().await?.context("no trailers")?)?)
}
