//! TLS for clients: HTTP/2 or HTTP/1.1 by ALPN (RFC 7301), with a certificate from two files.
//!
//! Rule: the files are read every second. Once both have come to rest and fit each other, new handshakes are made with
//! them; connections that stand are not touched. Recovery: files that cannot be used are told in the log, once, and the
//! certificate read before serves on.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
};
use zeroize::Zeroizing;

/// How often the files are read.
const PERIOD: Duration = Duration::from_secs(1);
/// No certificate or key comes near this; a larger file was put there by mistake.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Nobody but the owner and a group, such as pods have for their volumes, may read the key.
const KEY_MODE: u32 = 0o660;

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate in PEM, and behind it those that lead from it to its root.
    pub certificate: PathBuf,
    /// Its private key in PEM, closed to other users.
    pub key: PathBuf,
}

/// Why clients cannot be shown a certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other users may open the private key.
    #[error("{path} holds a private key and is open to others: its mode is {mode:o}, and may be 640 at most")]
    LooseMode {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file is not PEM.
    #[error("{path} holds no {what} in PEM: {source}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// Why it is not.
        source: pem::Error,
    },
    /// Certificate and key cannot be used together.
    #[error("the certificate {path} cannot be used: {source}")]
    Unusable {
        /// The certificate's.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The certificate that clients are shown.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
}

/// What the files hold.
struct Reading {
    certificate: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl Certificates {
    /// Reads the files.
    pub(crate) fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let config = Reading::of(&files)?.config(&files)?;
        Ok(Self { files, config: ArcSwap::new(config) })
    }

    /// How handshakes are made now.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Takes what is new, for as long as the edge runs.
    pub(crate) async fn watch(self: Arc<Self>) {
        let (mut held, mut seen, mut fault) = (self.digest().await, None, None);
        loop {
            tokio::time::sleep(PERIOD).await;
            let sight = self.digest().await;
            let is_at_rest = seen.as_ref() == Some(&sight);
            if sight != held && is_at_rest {
                let taken = self.take().await;
                if taken.is_ok() {
                    tracing::info!(path = %self.files.certificate.display(), "took a new certificate for clients");
                    held.clone_from(&sight);
                }
                let problem = taken.err();
                if problem.is_some() && problem != fault {
                    tracing::warn!(error = problem, "a certificate for clients cannot be used: the one before stays");
                }
                fault = problem;
            }
            seen = Some(sight);
        }
    }

    async fn take(&self) -> Result<(), String> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || Reading::of(&files)?.config(&files));
        let config = read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.config.store(config);
        Ok(())
    }

    /// What the files look like: their content, or why they cannot be read.
    async fn digest(&self) -> Result<[u8; 32], String> {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || Reading::of(&files).map(|reading| reading.digest()));
        read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

impl Reading {
    fn of(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { certificate: read(&files.certificate, 0o777)?, key: read(&files.key, KEY_MODE)? })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.certificate.len().to_be_bytes());
        digest.update(&*self.certificate);
        digest.update(&*self.key);
        digest.finalize().into()
    }

    fn config(&self, files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
        let pem = |path: &Path, what| {
            let path = path.to_owned();
            move |source| TlsError::Pem { path, what, source }
        };
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(pem(&files.certificate, "certificate"))?;
        if chain.is_empty() {
            return Err(pem(&files.certificate, "certificate")(pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(pem(&files.key, "private key"))?;
        let unusable = |source| TlsError::Unusable { path: files.certificate.clone(), source };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        Ok(Arc::new(config))
    }
}

/// What a file holds whose permission bits are within `allowed`.
fn read(path: &Path, allowed: u32) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let failed = |source| TlsError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    // The mode of the open file, not of the path: the two could differ by now.
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & !allowed != 0 {
        return Err(TlsError::LooseMode { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    // Room for all of it from the start: a buffer that grows leaves copies of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}
