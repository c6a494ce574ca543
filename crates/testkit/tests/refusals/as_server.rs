//! Clients that are none of ours, at the port of a server of ours.

use std::{io, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        AlertDescription, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
        client::{
            ResolvesClientCert,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
        sign::CertifiedKey,
        version::TLS12,
    },
};
use weft_call::{Code, MeshReason};
use weft_edge_fixture::contract::GetNoteRequest;
use weft_workload_identity::{DomainPath, client_config};

use crate::{
    authority::Wanted,
    lab::Lab,
    table::Outcome::{self, LetThrough, Refused, Unexpected},
};

/// A certificate to show, whatever it is worth.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A client that trusts the server, and shows this certificate.
fn showing(lab: &Lab, certificate: Arc<CertifiedKey>) -> Arc<ClientConfig> {
    let edge = lab.ours.source("edge", Arc::new(DomainPath));
    let mut config = (*client_config(edge, &"edge".parse().unwrap(), &"notes".parse().unwrap()).unwrap()).clone();
    config.client_auth_cert_resolver = Arc::new(Shown(certificate));
    Arc::new(config)
}

async fn connect(lab: &Lab, config: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(lab.notes()).await?;
    TlsConnector::from(config).connect(ServerName::try_from("mesh.invalid").unwrap(), tcp).await
}

/// Calls `GetNote` by HTTP/2 over TLS: the code of the answer, and the error that it stands for.
async fn get_note(lab: &Lab, config: Arc<ClientConfig>) -> Result<(Code, weft_call::Error), hyper::Error> {
    let tls = connect(lab, config).await.expect("a certificate of the mesh");
    let (mut requests, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await?;
    tokio::spawn(connection);
    let message = GetNoteRequest { id: "1".to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = Full::new(Bytes::from([&[0][..], &length, &message].concat()));
    let request = http::Request::post("http://notes/fixture.notes.v1.Notes/GetNote")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let response = requests.send_request(request).await?;
    Ok(status(response).await)
}

async fn status(response: http::Response<hyper::body::Incoming>) -> (Code, weft_call::Error) {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    let (head, body) = response.into_parts();
    // A refusal has its trailers in its head.
    let headers = if head.headers.contains_key("grpc-status") {
        head.headers
    } else {
        http_body_util::BodyExt::collect(body).await.unwrap().trailers().cloned().unwrap_or_default()
    };
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let code = Code::from_number(text("grpc-status").parse().unwrap());
    let details = STANDARD_NO_PAD.decode(text("grpc-status-details-bin").trim_end_matches('=')).unwrap();
    (code, weft_call::status::decode(code, &text("grpc-message"), &details))
}

/// What rustls says in an error of any layer above it.
pub(crate) fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        // An I/O error gives the source of what it holds, and skips that itself.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map(|held| held as _).or_else(|| error.source());
    }
    None
}

/// Refused at the handshake, with this alert.
async fn alert(lab: &Lab, config: Arc<ClientConfig>, expected: AlertDescription) -> Outcome {
    let knocking = async {
        let mut tls = connect(lab, config).await?;
        // By TLS 1.3 a client learns with its first read that its certificate is refused; a server that goes along
        // begins with its settings.
        tls.read_u8().await
    };
    match knocking.await {
        Ok(_) => LetThrough,
        Err(error) => match tls_error(&error) {
            Some(TlsError::AlertReceived(alert)) if *alert == expected => Refused(format!("alert {alert:?}")),
            _ => Unexpected(format!("{error:?}")),
        },
    }
}

/// Refused by an answer that names the rule.
async fn denied(lab: &Lab, caller: &str, rule: &str) -> Outcome {
    match get_note(lab, showing(lab, lab.ours.certified(&Wanted::of(caller)))).await {
        Ok((Code::Ok, _)) => LetThrough,
        Ok((_, error)) => by_rule(&error, caller, rule),
        Err(error) => Unexpected(format!("{error:?}")),
    }
}

/// Whether the error is a refusal of this caller by this rule.
pub(crate) fn by_rule(error: &weft_call::Error, caller: &str, rule: &str) -> Outcome {
    let fact = |key: &str| error.metadata().get(key).map(String::as_str);
    let is_refusal = error.code() == Code::PermissionDenied && error.reason() == Some(MeshReason::CallerNotAllowed);
    if is_refusal && (fact("caller"), fact("rule")) == (Some(caller), Some(rule)) {
        return Refused(format!("PERMISSION_DENIED CALLER_NOT_ALLOWED ({rule})"));
    }
    Unexpected(error.to_string())
}

pub(crate) async fn welcome(lab: &Lab) -> Outcome {
    match get_note(lab, showing(lab, lab.ours.certified(&Wanted::of("reader")))).await {
        Ok((Code::Ok, _)) => LetThrough,
        other => Unexpected(format!("{other:?}")),
    }
}

pub(crate) async fn wrong_authority(lab: &Lab) -> Outcome {
    alert(lab, showing(lab, lab.foreign.certified(&Wanted::of("edge"))), AlertDescription::UnknownCA).await
}

pub(crate) async fn expired(lab: &Lab) -> Outcome {
    let expired = Wanted { is_expired: true, ..Wanted::of("edge") };
    alert(lab, showing(lab, lab.ours.certified(&expired)), AlertDescription::CertificateExpired).await
}

pub(crate) async fn wrong_id(lab: &Lab) -> Outcome {
    let elsewhere = Wanted { id: "spiffe://other.example/domain/edge".to_owned(), is_expired: false };
    alert(lab, showing(lab, lab.ours.certified(&elsewhere)), AlertDescription::CertificateUnknown).await
}

pub(crate) async fn plaintext(lab: &Lab) -> Outcome {
    let mut tcp = TcpStream::connect(lab.notes()).await.unwrap();
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // A reset after the alert is as good an end.
    let _ = tcp.read_to_end(&mut answer).await;
    match answer[..] {
        // A fatal alert (RFC 8446 section 6): decode_error.
        [21, 3, 3, 0, 2, 2, 50] => Refused("alert DecodeError".to_owned()),
        // An HTTP/2 frame of settings.
        [_, _, _, 4, ..] => LetThrough,
        _ => Unexpected(format!("{answer:?}")),
    }
}

pub(crate) async fn tls_1_2(lab: &Lab) -> Outcome {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS12]).unwrap();
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Trusting));
    let certificate = Arc::new(Shown(lab.ours.certified(&Wanted::of("edge"))));
    let mut config = config.with_client_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec()];
    alert(lab, Arc::new(config), AlertDescription::ProtocolVersion).await
}

pub(crate) async fn stranger(lab: &Lab) -> Outcome {
    denied(lab, "stranger", "contract").await
}

pub(crate) async fn revoked(lab: &Lab) -> Outcome {
    lab.revoke_reader(true);
    let outcome = denied(lab, "reader", "configuration").await;
    lab.revoke_reader(false);
    outcome
}

/// Trusts every server: it is the client that is tried.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
