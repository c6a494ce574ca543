//! One process, asked for its metrics over HTTP/1.1.

use std::{
    io,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use weft_discovery::Endpoint;

use super::metrics::Reading;

/// How long a process may take to tell.
const LIMIT: Duration = Duration::from_secs(5);
/// Some hundred thousand samples.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Why a process told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("http://{0}/metrics cannot be reached: {1}")]
    Unreachable(Endpoint, #[source] io::Error),
    #[error("http://{0}/metrics breaks off: {1}")]
    Broken(Endpoint, #[source] hyper::Error),
    #[error("http://{0}/metrics answers {1}")]
    Refused(Endpoint, StatusCode),
    #[error("http://{0}/metrics is no text of at most {MAX_BYTES} bytes")]
    NoText(Endpoint),
    #[error("http://{0}/metrics does not answer within {limit} s", limit = LIMIT.as_secs())]
    TooLate(Endpoint),
}

/// Asks the process with this admin port.
pub(super) async fn read(admin: &Endpoint) -> Result<Reading, Unanswered> {
    timeout(LIMIT, ask(admin)).await.unwrap_or_else(|_| Err(Unanswered::TooLate(admin.clone())))
}

async fn ask(admin: &Endpoint) -> Result<Reading, Unanswered> {
    let broken = |error| Unanswered::Broken(admin.clone(), error);
    let unreachable = |error| Unanswered::Unreachable(admin.clone(), error);
    let stream = TcpStream::connect((admin.host.as_str(), admin.port)).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the answer, and what ends it before is told by the answer.
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = http::Uri::from_static("/metrics");
    let host = header::HeaderValue::try_from(admin.to_string()).map_err(|_| Unanswered::NoText(admin.clone()))?;
    request.headers_mut().insert(header::HOST, host);
    let reply = sender.send_request(request).await.map_err(broken)?;
    if !reply.status().is_success() {
        return Err(Unanswered::Refused(admin.clone(), reply.status()));
    }
    let no_text = || Unanswered::NoText(admin.clone());
    let body = Limited::new(reply.into_body(), MAX_BYTES).collect().await.map_err(|_| no_text())?.to_bytes();
    connection.abort();
    let text = std::str::from_utf8(&body).map_err(|_| no_text())?;
    Ok(Reading::parse(text, Instant::now()))
}
