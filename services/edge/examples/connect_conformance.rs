//! The server that Connect's conformance suite tests: an edge that stands alone, in front of the suite's own reference
//! server, to which it speaks gRPC and nothing else.
//!
//! The suite's runner says on stdin what it is about to test and is told on stdout where the edge listens
//! (`connectrpc/conformance/v1/server_compat.proto`). `CONFORMANCE_SERVER` names the reference server's program,
//! `CONFORMANCE_DESCRIPTOR_SET` a file with the suite's descriptors. It ends when the runner ends it, by SIGTERM.

use std::{
    env,
    fs::OpenOptions,
    io::{Read, Write, stdin, stdout},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use prost::Message;
use tokio::signal::unix::{SignalKind, signal};
use weft_call::Clock;
use weft_discovery::{Endpoint, Static};
use weft_edge::{Alone, SchemaSource, Settings, TlsFiles, UPSTREAM};
use weft_telemetry::Metrics;
use weft_transport::{LiveTuning, Upstreams};

/// What is about to be tested; protocols and versions of HTTP that are not asked for are spoken as well.
#[derive(Clone, PartialEq, Message)]
struct ServerCompatRequest {
    /// 2 is gRPC.
    #[prost(int32, tag = "1")]
    protocol: i32,
    /// 2 is HTTP/2.
    #[prost(int32, tag = "2")]
    http_version: i32,
    #[prost(bool, tag = "4")]
    use_tls: bool,
    #[prost(uint32, tag = "6")]
    message_receive_limit: u32,
    /// What clients trust if TLS is asked for.
    #[prost(message, optional, tag = "7")]
    server_creds: Option<Credentials>,
}

/// A certificate and its key, as PEM.
#[derive(Clone, PartialEq, Message)]
struct Credentials {
    #[prost(bytes = "vec", tag = "1")]
    cert: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
}

/// Where the server listens.
#[derive(Clone, PartialEq, Message)]
struct ServerCompatResponse {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(uint32, tag = "2")]
    port: u32,
    #[prost(bytes = "vec", tag = "3")]
    pem_cert: Vec<u8>,
}

const GRPC: i32 = 2;
const HTTP_2: i32 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let request: ServerCompatRequest = read(&mut stdin())?;
    let program = env::var("CONFORMANCE_SERVER").context("CONFORMANCE_SERVER")?;
    let descriptors = env::var("CONFORMANCE_DESCRIPTOR_SET").context("CONFORMANCE_DESCRIPTOR_SET")?;
    let limit = request.message_receive_limit;
    let mut server = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(program)?;
    let behind = ServerCompatRequest {
        protocol: GRPC,
        http_version: HTTP_2,
        message_receive_limit: limit,
        ..ServerCompatRequest::default()
    };
    write(&mut server.stdin.take().context("no stdin")?, &behind)?;
    let behind: ServerCompatResponse = read(&mut server.stdout.take().context("no stdout")?)?;

    let metrics = Metrics::new();
    let place = Endpoint::new(behind.host, u16::try_from(behind.port)?);
    let resolver = Arc::new(Static::of(UPSTREAM, [place]));
    let upstreams = Upstreams::plaintext("edge".parse()?, resolver, metrics.clone(), LiveTuning::default());
    let mut settings = Settings { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() };
    // The runner's clients keep connections for longer than the suite takes.
    settings.idle_timeout = Duration::from_mins(10);
    if limit > 0 {
        settings.max_body = usize::try_from(limit)?;
    }
    let credentials = request.server_creds.filter(|_| request.use_tls);
    let folder = tempfile::tempdir()?;
    if let Some(credentials) = &credentials {
        let tls = TlsFiles { certificate: folder.path().join("certificate.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&tls.certificate, &credentials.cert)?;
        let mut key = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&tls.key)?;
        key.write_all(&credentials.key)?;
        settings.tls = Some(tls);
    }
    let schema = SchemaSource::File(descriptors.into());
    let edge = Alone { settings, schema, upstreams, clock: Clock::system(), metrics }.start().await?;
    let listening = ServerCompatResponse {
        host: "127.0.0.1".to_owned(),
        port: edge.local_addr.port().into(),
        pem_cert: credentials.map(|credentials| credentials.cert).unwrap_or_default(),
    };
    write(&mut stdout(), &listening)?;
    signal(SignalKind::terminate())?.recv().await;
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// Reads a message behind its length in four bytes.
fn read<M: Message + Default>(from: &mut impl Read) -> anyhow::Result<M> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut message = Vec::new();
    from.take(u32::from_be_bytes(length).into()).read_to_end(&mut message)?;
    Ok(M::decode(message.as_slice())?)
}

fn write(to: &mut impl Write, message: &impl Message) -> anyhow::Result<()> {
    let message = message.encode_to_vec();
    to.write_all(&u32::try_from(message.len())?.to_be_bytes())?;
    to.write_all(&message)?;
    Ok(to.flush()?)
}
