//! Asking a process at its admin port, over HTTP/1.1.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use weft_config::Config;
use weft_discovery::Endpoint;

/// How long a process may take to tell.
const LIMIT: Duration = Duration::from_secs(5);
/// Some hundred thousand samples of metrics.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Why a process told nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, #[source] io::Error),
    #[error("{0} breaks off: {1}")]
    Broken(String, #[source] hyper::Error),
    #[error("{0} answers {1}")]
    Refused(String, StatusCode),
    #[error("{0} is no text of at most {MAX_BYTES} bytes")]
    NoText(String),
    #[error("{0} does not answer within {limit} s", limit = LIMIT.as_secs())]
    TooLate(String),
}

/// What is at a path.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

/// The admin port of the process that has this configuration, as it is reached from its own machine.
pub(crate) fn own(config: &Config) -> Endpoint {
    let address = match config.admin.address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, config.admin.port).into()
}

/// Asks the process with this admin port, whatever it answers.
pub(crate) async fn get(admin: &Endpoint, path: &'static str) -> Result<Answer, Unanswered> {
    let url = format!("http://{admin}{path}");
    timeout(LIMIT, ask(admin, path, &url)).await.unwrap_or_else(|_| Err(Unanswered::TooLate(url.clone())))
}

/// The same, where anything but success is an error.
pub(crate) async fn text(admin: &Endpoint, path: &'static str) -> Result<String, Unanswered> {
    let Answer { status, text } = get(admin, path).await?;
    if status.is_success() { Ok(text) } else { Err(Unanswered::Refused(format!("http://{admin}{path}"), status)) }
}

async fn ask(admin: &Endpoint, path: &'static str, url: &str) -> Result<Answer, Unanswered> {
    let broken = |error| Unanswered::Broken(url.to_owned(), error);
    let unreachable = |error| Unanswered::Unreachable(url.to_owned(), error);
    let no_text = || Unanswered::NoText(url.to_owned());
    let stream = TcpStream::connect((admin.host.as_str(), admin.port)).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the answer, and what ends it before is told by the answer.
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = Uri::from_static(path);
    let host = header::HeaderValue::try_from(admin.to_string()).map_err(|_| no_text())?;
    request.headers_mut().insert(header::HOST, host);
    let reply = sender.send_request(request).await.map_err(broken)?;
    let status = reply.status();
    let body = Limited::new(reply.into_body(), MAX_BYTES).collect().await.map_err(|_| no_text())?.to_bytes();
    connection.abort();
    let text = String::from_utf8(body.into()).map_err(|_| no_text())?;
    Ok(Answer { status, text })
}
