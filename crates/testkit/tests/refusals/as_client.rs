//! Servers that are none of ours, called by a client of ours; and a client of ours that may not call.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::StreamBody;
use hyper::{body::Frame, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        CertificateError, Error as TlsError, InvalidMessage, OtherError, PeerIncompatible, ServerConfig,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use weft_edge_fixture::contract::{GetNoteRequest, NotesClient};
use weft_mesh::{Call, CallBuilder, Clock};
use weft_workload_identity::{DomainPath, PeerError, server_config};

use crate::{
    as_server::{by_rule, tls_error},
    authority::Wanted,
    lab::Lab,
    table::Outcome::{self, LetThrough, Refused, Unexpected},
};

/// A certificate to show, whatever it is worth.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A server that answers every call that reaches it. It ends when it is dropped.
struct Impostor {
    address: SocketAddr,
    /// The calls that reached it.
    reached: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Impostor {
    /// Does with each connection as `serve` says.
    async fn new<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream, Arc<AtomicUsize>) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, reached) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&reached);
        let accepting = async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(tcp, Arc::clone(&counted)));
            }
        };
        Self { address, reached, serving: tokio::spawn(accepting).abort_handle() }
    }

    /// Shows this certificate.
    async fn showing(lab: &Lab, certificate: Arc<CertifiedKey>) -> Self {
        let source = lab.ours.source("notes", Arc::new(DomainPath));
        let mut config = ServerConfig::clone(&*server_config(source, &"notes".parse().unwrap()).unwrap());
        config.cert_resolver = Arc::new(Shown(certificate));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::new(move |tcp, reached| {
            let acceptor = acceptor.clone();
            async move {
                // Whoever refuses the certificate ends the handshake.
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let answer = service_fn(move |_| {
                    reached.fetch_add(1, Ordering::Relaxed);
                    async { Ok::<_, Infallible>(empty_note()) }
                });
                let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = served.serve_connection(TokioIo::new(tls), answer).await;
            }
        })
        .await
    }

    /// What the client of ours makes of it; `expected` says of an error of rustls whether it is the right one.
    async fn tried_by(self, lab: &Lab, expected: impl Fn(&TlsError) -> bool) -> Outcome {
        let outcome = get(&lab.client_to(self.address).notes).await;
        if outcome.is_ok() || self.reached.load(Ordering::Relaxed) > 0 {
            return LetThrough;
        }
        let error = outcome.unwrap_err();
        match tls_error(&error) {
            Some(tls) if expected(tls) => Refused(short(tls)),
            other => Unexpected(format!("{other:?} {error:?}")),
        }
    }
}

/// A note without anything in it, and the status OK.
fn empty_note() -> http::Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [Ok(Frame::data(Bytes::from_static(&[0; 5]))), Ok(Frame::trailers(trailers))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    http::Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn anonymous() -> Call {
    CallBuilder::new(Clock::system()).build()
}

async fn get(client: &NotesClient) -> weft_mesh::Result<()> {
    client.get_note(&anonymous(), GetNoteRequest { id: "1".to_owned() }).await.map(drop)
}

/// The error without what wraps it.
fn short(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(error))) => error.to_string(),
        TlsError::InvalidCertificate(error) => format!("InvalidCertificate({error:?})"),
        other => format!("{other:?}"),
    }
}

fn is_certificate(error: &TlsError, expected: &CertificateError) -> bool {
    matches!(error, TlsError::InvalidCertificate(found) if found == expected)
}

pub(crate) async fn welcome(lab: &Lab) -> Outcome {
    let impostor = Impostor::showing(lab, lab.ours.certified(&Wanted::of("notes"))).await;
    match get(&lab.client_to(impostor.address).notes).await {
        Ok(()) => LetThrough,
        Err(error) => Unexpected(format!("{error:?}")),
    }
}

pub(crate) async fn wrong_authority(lab: &Lab) -> Outcome {
    let impostor = Impostor::showing(lab, lab.foreign.certified(&Wanted::of("notes"))).await;
    impostor.tried_by(lab, |error| is_certificate(error, &CertificateError::UnknownIssuer)).await
}

pub(crate) async fn expired(lab: &Lab) -> Outcome {
    let expired = Wanted { is_expired: true, ..Wanted::of("notes") };
    let impostor = Impostor::showing(lab, lab.ours.certified(&expired)).await;
    impostor.tried_by(lab, |error| is_certificate(error, &CertificateError::Expired)).await
}

pub(crate) async fn wrong_id(lab: &Lab) -> Outcome {
    let impostor = Impostor::showing(lab, lab.ours.certified(&Wanted::of("payments"))).await;
    let is_other = |error: &TlsError| match error {
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(error))) => {
            matches!(error.downcast_ref(), Some(PeerError::OtherWorkload { .. }))
        }
        _ => false,
    };
    impostor.tried_by(lab, is_other).await
}

pub(crate) async fn plaintext(lab: &Lab) -> Outcome {
    let impostor = Impostor::new(|mut tcp, _| async move {
        // HTTP/2's settings, as a server without TLS begins; then whatever comes is read.
        let _ = tcp.write_all(b"\0\0\0\x04\0\0\0\0\0").await;
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let expected = TlsError::InvalidMessage(InvalidMessage::InvalidContentType);
    impostor.await.tried_by(lab, |error| *error == expected).await
}

pub(crate) async fn tls_1_2(lab: &Lab) -> Outcome {
    let impostor = Impostor::new(|mut tcp, _| async move {
        // The record of the ClientHello (RFC 8446 section 5.1), whose session id the answer must repeat.
        let mut head = [0; 5];
        let Ok(_) = tcp.read_exact(&mut head).await else { return };
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        let Ok(_) = tcp.read_exact(&mut hello).await else { return };
        let _ = tcp.write_all(&server_hello(&hello)).await;
        let _ = tokio::io::copy(&mut tcp, &mut tokio::io::sink()).await;
    });
    let is_version = |error: &TlsError| {
        let TlsError::PeerIncompatible(reason) = error else { return false };
        [PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig, PeerIncompatible::ServerDoesNotSupportTls12Or13]
            .contains(reason)
    };
    impostor.await.tried_by(lab, is_version).await
}

/// A ServerHello of TLS 1.2 (RFC 5246 section 7.4.1.3) to whatever was offered: version 3.3, random, the session id of
/// the ClientHello, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression, no extension.
fn server_hello(client_hello: &[u8]) -> Vec<u8> {
    // Behind type, length, version and random stands the session id with its length.
    let session = &client_hello[38..39 + usize::from(client_hello[38])];
    let body = [&[3, 3][..], &[7; 32], session, &[0xc0, 0x2b, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 3, 0, length + 4, 2, 0, 0, length][..], &body].concat()
}

/// What a client of ours is told by a server of ours, at its first and only try.
async fn refused(lab: &Lab, own: &str, rule: &str) -> Outcome {
    let counter = format!(r#"weft_callers_refused_total{{domain="notes",method="GetNote",rule="{rule}",enforced="true"}}"#);
    let before = lab.counted(&counter);
    match get(&lab.mesh.client_as(own)).await {
        Ok(()) => LetThrough,
        Err(error) => match lab.counted(&counter) - before {
            1 => by_rule(&error, own, rule),
            tries => Unexpected(format!("{tries} tries: {error}")),
        },
    }
}

pub(crate) async fn stranger(lab: &Lab) -> Outcome {
    refused(lab, "stranger", "contract").await
}

pub(crate) async fn revoked(lab: &Lab) -> Outcome {
    // On a connection that was welcome when it was opened.
    let client: NotesClient = lab.mesh.client_as("reader");
    if let Err(error) = get(&client).await {
        return Unexpected(format!("refused before it was revoked: {error}"));
    }
    lab.revoke_reader(true);
    let outcome = refused(lab, "reader", "configuration").await;
    let on_the_same = get(&client).await;
    lab.revoke_reader(false);
    match (outcome, on_the_same) {
        (refused @ Refused(_), Err(error)) => match by_rule(&error, "reader", "configuration") {
            Refused(_) => refused,
            other => other,
        },
        (_, Ok(())) => LetThrough,
        (outcome, Err(_)) => outcome,
    }
}
