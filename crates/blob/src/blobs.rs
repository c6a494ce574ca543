//! A domain's blobs.

use std::{ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use http::{HeaderName, HeaderValue, Method, header};
use object_store::{
    GetOptions, GetRange,
    path::Path,
    signer::{SignedUrlOptions, Signer as _},
};
use uuid::Uuid;
use weft_call::{Call, TenantId};

use crate::{
    BlobError, BlobKey, BlobKind, Followed, Link, MediaType, Owner, Stored,
    key::{self, folder_of_kind, folder_of_owner, folder_of_tenant},
    link::check_lifetime,
    place::Place,
    upload::Upload,
};

/// A domain's blobs. Clones share their place.
#[derive(Clone, Debug)]
pub struct Blobs {
    pub(crate) place: Arc<Place>,
    pub(crate) domain: &'static str,
}

/// The bytes of a blob, as they come.
pub type Pieces = BoxStream<'static, Result<Bytes, BlobError>>;

/// A blob that is read.
pub struct Blob {
    /// How many bytes all of it has.
    pub size: u64,
    /// Which of them come.
    pub range: Range<u64>,
    /// They themselves.
    pub pieces: Pieces,
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blob").field("size", &self.size).field("range", &self.range).finish_non_exhaustive()
    }
}

/// A blob that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub key: BlobKey,
    /// How many bytes.
    pub size: u64,
    /// When it was put.
    pub put_time: DateTime<Utc>,
}

impl Blobs {
    /// Keeps what comes as a new blob of the call's tenant. `declared` is its type as the sender says it.
    pub async fn put(
        &self,
        call: &Call,
        kind: &BlobKind,
        owner: Owner,
        declared: &str,
        pieces: impl Stream<Item = weft_call::Result<Bytes>> + Send,
    ) -> Result<Stored, BlobError> {
        let key = key::fresh(call.tenant()?, self.domain, owner, kind);
        let media_type = kind.declared(declared).ok_or(BlobError::TypeNotAllowed { allowed: kind.types() })?;
        let path = key.path(&self.place.prefix());
        let (size, sha256) = Upload::new(&self.place, path, kind, media_type).run(pieces).await?;
        Ok(Stored { key, media_type, size, sha256 })
    }

    /// The key of a blob of the call's tenant, as the domain has recorded it.
    pub fn key(&self, call: &Call, kind: &BlobKind, owner: Owner, id: Uuid) -> Result<BlobKey, BlobError> {
        Ok(BlobKey { tenant: call.tenant()?, domain: self.domain, owner, kind: kind.name(), id })
    }

    /// Reads a blob of the call's tenant.
    pub async fn get(&self, call: &Call, key: &BlobKey) -> Result<Blob, BlobError> {
        self.read(call, key, None).await
    }

    /// Reads a part of a blob of the call's tenant, cut off where the blob ends.
    pub async fn get_range(&self, call: &Call, key: &BlobKey, range: Range<u64>) -> Result<Blob, BlobError> {
        if range.is_empty() {
            return Err(BlobError::RangeNotSatisfiable);
        }
        self.read(call, key, Some(range)).await
    }

    async fn read(&self, call: &Call, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob, BlobError> {
        let path = self.path(call, key)?;
        if let Some(range) = &range {
            // Servers differ in what they answer to a part that begins behind the end.
            let size = self.place.store().get_opts(&path, GetOptions::new().with_head(true)).await?.meta.size;
            if range.start >= size {
                return Err(BlobError::RangeNotSatisfiable);
            }
        }
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.place.store().get_opts(&path, options).await?;
        let (size, range) = (found.meta.size, found.range.clone());
        Ok(Blob { size, range, pieces: found.into_stream().map_err(BlobError::from).boxed() })
    }

    /// Deletes a blob of the call's tenant. One that is not there is no error.
    pub async fn delete(&self, call: &Call, key: &BlobKey) -> Result<(), BlobError> {
        let path = self.path(call, key)?;
        let gone = futures_util::stream::once(async move { Ok(path) }).boxed();
        match self.place.store().delete_stream(gone).try_collect::<Vec<_>>().await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The blobs of a kind that an owner in the call's tenant has, some at a time.
    pub fn list(
        &self,
        call: &Call,
        kind: &BlobKind,
        owner: Owner,
    ) -> Result<impl Stream<Item = Result<Found, BlobError>> + Send + use<>, BlobError> {
        let (tenant, domain, kind) = (call.tenant()?, self.domain, kind.name());
        let folder = folder_of_kind(&self.place.prefix(), tenant, domain, owner, kind);
        let found = move |object: object_store::ObjectMeta| {
            // What somebody else put there is no blob.
            let id = object.location.filename().and_then(|name| Uuid::try_parse(name).ok())?;
            let key = BlobKey { tenant, domain, owner, kind, id };
            Some(Found { key, size: object.size, put_time: object.last_modified })
        };
        let listed = self.place.store().list(Some(&folder)).map_err(BlobError::from);
        Ok(listed.try_filter_map(move |object| std::future::ready(Ok(found(object)))))
    }

    /// Deletes everything that the domain keeps of a person.
    pub async fn erase_person(&self, tenant: TenantId, person: Uuid) -> Result<(), BlobError> {
        self.erase(folder_of_owner(&self.place.prefix(), tenant, self.domain, Owner::Person(person))).await
    }

    /// Deletes everything that the domain keeps for a tenant.
    pub async fn erase_tenant(&self, tenant: TenantId) -> Result<(), BlobError> {
        self.erase(folder_of_tenant(&self.place.prefix(), tenant, self.domain)).await
    }

    async fn erase(&self, folder: Path) -> Result<(), BlobError> {
        match &*self.place {
            // With what uploads that were killed have left, and with the folders, whose names are ids too.
            Place::Folder { root, files, .. } => {
                let folder = files.path_to_filesystem(&folder)?;
                match tokio::fs::remove_dir_all(&folder).await {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                    gone => gone.map_err(|source| BlobError::Folder { folder: root.clone(), source }),
                }
            }
            Place::Bucket { .. } => {
                let store = self.place.store();
                let gone = store.list(Some(&folder)).map_ok(|object| object.location).boxed();
                Ok(store.delete_stream(gone).try_for_each(|_| async { Ok(()) }).await?)
            }
        }
    }

    /// Lets whoever holds what this returns read the blob for a while.
    pub async fn link(&self, call: &Call, key: &BlobKey, media_type: MediaType, lifetime: Duration) -> Result<Link, BlobError> {
        check_lifetime(lifetime)?;
        let path = self.path(call, key)?;
        match &*self.place {
            Place::Folder { links, .. } => Ok(Link::Token(links.sign(key, media_type, call.now() + lifetime))),
            Place::Bucket { objects, .. } => {
                let answer = [
                    ("response-content-type", media_type.name().to_owned()),
                    ("response-content-disposition", media_type.disposition(key.kind)),
                ];
                let options = SignedUrlOptions::new().with_query(answer);
                Ok(Link::Address(objects.signed_url_opts(Method::GET, &path, lifetime, &options).await?))
            }
        }
    }

    /// What a token of [`Blobs::link`] lets read. The tenant is the blob's: the call is taken there by [`Call::in_tenant`].
    pub fn follow(&self, call: &Call, kind: &BlobKind, token: &str) -> Result<Followed, BlobError> {
        match &*self.place {
            Place::Folder { links, .. } => links.verify(token, self.domain, kind, call.now()),
            Place::Bucket { .. } => Err(BlobError::LinkInvalid),
        }
    }

    /// The headers that a blob is given to a client with: no browser may take it for anything but what it is.
    pub fn headers(&self, followed: &Followed) -> [(HeaderName, HeaderValue); 3] {
        let disposition = followed.media_type.disposition(followed.key.kind);
        let disposition = HeaderValue::try_from(disposition).unwrap_or(HeaderValue::from_static("attachment"));
        [
            (header::CONTENT_DISPOSITION, disposition),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        ]
    }

    /// Where a blob is, if it is this domain's and the call's tenant's.
    fn path(&self, call: &Call, key: &BlobKey) -> Result<Path, BlobError> {
        if key.tenant != call.tenant()? || key.domain != self.domain {
            return Err(BlobError::NotFound);
        }
        Ok(key.path(&self.place.prefix()))
    }
}
