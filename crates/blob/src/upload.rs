//! Keeps a blob that comes piece by piece.
//!
//! Rule: what is wrong with it is noticed as early as it can be, and then nothing of it stays. A blob of one part is put at
//! once; a larger one part by part, so that no more than a part of it is in memory.

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use object_store::{Attribute, Attributes, MultipartUpload, PutMultipartOptions, PutOptions, path::Path};
use ring::digest::{self, SHA256};
use weft_call::Result as CallResult;

use crate::{BlobError, BlobKey, BlobKind, MediaType, media_type::HEAD, place::Place};

/// Bytes of a part: as few as S3 takes (Amazon S3 User Guide, "multipart upload limits").
pub(crate) const PART: usize = 5 << 20;

/// A blob that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub key: BlobKey,
    /// What it is.
    pub media_type: MediaType,
    /// How many bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A blob on its way.
pub(crate) struct Upload<'a> {
    place: &'a Place,
    path: Path,
    kind: &'a BlobKind,
    media_type: MediaType,
    /// What the next part is made of.
    buffer: BytesMut,
    is_checked: bool,
    digest: digest::Context,
    size: u64,
    parts: Option<Parts>,
}

/// An upload in parts. Dropped before its end, it is aborted.
struct Parts(Option<Box<dyn MultipartUpload>>);

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(mut upload) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "parts of a blob that broke off stay behind");
                }
            });
        }
    }
}

impl<'a> Upload<'a> {
    pub(crate) fn new(place: &'a Place, path: Path, kind: &'a BlobKind, media_type: MediaType) -> Self {
        let (buffer, digest) = (BytesMut::new(), digest::Context::new(&SHA256));
        Self { place, path, kind, media_type, buffer, is_checked: false, digest, size: 0, parts: None }
    }

    /// Keeps it all, and says how many bytes it had and what their SHA-256 is.
    pub(crate) async fn run(
        mut self,
        pieces: impl Stream<Item = CallResult<Bytes>> + Send,
    ) -> Result<(u64, [u8; 32]), BlobError> {
        let result = self.take_all(pieces).await;
        if result.is_err()
            && let Some(mut upload) = self.parts.take().and_then(|mut parts| parts.0.take())
        {
            // Whoever is told that it failed finds nothing of it.
            upload.abort().await.unwrap_or_else(|error| tracing::warn!(%error, "parts of a refused blob stay behind"));
        }
        result?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.digest.finish().as_ref());
        Ok((self.size, sha256))
    }

    async fn take_all(&mut self, pieces: impl Stream<Item = CallResult<Bytes>> + Send) -> Result<(), BlobError> {
        let mut pieces = std::pin::pin!(pieces);
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            self.size = self.size.saturating_add(piece.len() as u64);
            if self.size > self.kind.most() {
                return Err(BlobError::TooLarge { most: self.kind.most() });
            }
            self.digest.update(&piece);
            self.buffer.extend_from_slice(&piece);
            if self.buffer.len() >= HEAD {
                self.check()?;
            }
            while self.buffer.len() > PART {
                let part = self.buffer.split_to(PART).freeze();
                self.send(part).await?;
            }
        }
        if self.size == 0 {
            return Err(BlobError::Empty);
        }
        self.check()?;
        self.finish().await
    }

    fn check(&mut self) -> Result<(), BlobError> {
        if !self.is_checked {
            let head = &self.buffer[..self.buffer.len().min(HEAD)];
            self.media_type.check(head).map_err(|found| BlobError::TypeMismatch { declared: self.media_type, found })?;
            self.is_checked = true;
        }
        Ok(())
    }

    async fn send(&mut self, part: Bytes) -> Result<(), BlobError> {
        if self.parts.is_none() {
            let options = PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
            let upload = self.place.store().put_multipart_opts(&self.path, options).await?;
            self.parts = Some(Parts(Some(upload)));
        }
        if let Some(upload) = self.parts.as_mut().and_then(|parts| parts.0.as_mut()) {
            upload.put_part(part.into()).await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), BlobError> {
        let last = self.buffer.split().freeze();
        if self.parts.is_none() {
            let options = PutOptions { attributes: self.attributes(), ..PutOptions::default() };
            self.place.store().put_opts(&self.path, last.into(), options).await?;
            return Ok(());
        }
        self.send(last).await?;
        if let Some(upload) = self.parts.as_mut().and_then(|parts| parts.0.as_mut()) {
            upload.complete().await?;
        }
        // Complete: there is nothing to abort any more.
        self.parts.take().and_then(|mut parts| parts.0.take());
        Ok(())
    }

    /// What a bucket says of a blob to who reads it there. A folder keeps no such thing.
    fn attributes(&self) -> Attributes {
        match self.place {
            Place::Folder { .. } => Attributes::new(),
            Place::Bucket { .. } => Attributes::from_iter([
                (Attribute::ContentType, self.media_type.name().to_owned()),
                (Attribute::ContentDisposition, self.media_type.disposition(self.kind.name())),
            ]),
        }
    }
}
