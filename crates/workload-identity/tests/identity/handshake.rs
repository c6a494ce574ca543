//! Two ends over loopback, and what each of them thinks of the other.

use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, HandshakeKind, OtherError, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use weft_workload_identity::PeerError;

/// One side's view of a connection on which a byte has been exchanged in both directions.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) peer: Vec<CertificateDer<'static>>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) kind: Option<HandshakeKind>,
}

/// Why there was no talk.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This side, or the other by an alert, ended the handshake.
    Tls(Error),
    /// The connection broke.
    Io(#[expect(dead_code, reason = "a failing test shows it")] io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
        tls.map_or(Self::Io(error), Self::Tls)
    }
}

impl Refusal {
    /// What rustls found wrong with the peer's certificate.
    pub(crate) fn certificate(&self) -> &CertificateError {
        match self {
            Self::Tls(Error::InvalidCertificate(error)) => error,
            other => panic!("the certificate is not what was refused: {other:?}"),
        }
    }

    /// What our rules found wrong with the peer's certificate.
    pub(crate) fn peer(&self) -> &PeerError {
        match self.certificate() {
            CertificateError::Other(OtherError(error)) => error.downcast_ref().unwrap(),
            other => panic!("not refused by a rule of ours: {other:?}"),
        }
    }
}

/// Connects the two and has each send the other a byte: the server's view, then the client's.
pub(crate) async fn talk(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> (Result<Talk, Refusal>, Result<Talk, Refusal>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::join!(
        async {
            let (stream, _) = listener.accept().await?;
            let mut stream = TlsAcceptor::from(server).accept(stream).await?;
            stream.write_all(b"s").await?;
            assert_eq!(stream.read_u8().await?, b'c');
            Ok(view(stream.get_ref().1))
        },
        async {
            let stream = TcpStream::connect(address).await?;
            // A name that no certificate carries: names must not matter.
            let name = ServerName::try_from("somewhere.example").unwrap();
            let mut stream = TlsConnector::from(client).connect(name, stream).await?;
            stream.write_all(b"c").await?;
            // The server verifies the client last: only what it sends afterwards shows that it agreed.
            assert_eq!(stream.read_u8().await?, b's');
            Ok(view(stream.get_ref().1))
        },
    )
}

fn view<D>(connection: &rustls::ConnectionCommon<D>) -> Talk {
    Talk {
        peer: connection.peer_certificates().unwrap().to_vec(),
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        kind: connection.handshake_kind(),
    }
}
