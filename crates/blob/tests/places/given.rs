//! What the tests begin with.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use tempfile::TempDir;
use uuid::Uuid;
use weft_blob::{BlobKind, BlobStore, Blobs, BucketSettings, MediaType, Pieces, PlaceSettings};
use weft_call::{Call, CallBuilder, Clock, Scope, TenantId};
use weft_test_s3::{ACCESS_KEY_ID, BUCKET, REGION, SECRET_ACCESS_KEY, Server};

/// More than two parts of an upload.
pub(crate) const LARGE: usize = 12 << 20;

pub(crate) const PICTURE: BlobKind = BlobKind::new("picture", &[MediaType::Png, MediaType::Jpeg], LARGE as u64);
pub(crate) const EXPORT: BlobKind = BlobKind::new("export", &[MediaType::Csv], 1 << 20);

/// Where the blobs of a test are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    InFolder,
    InBucket,
}

/// Makes two tests of one.
macro_rules! in_both {
    ($($test:ident),+ $(,)?) => {
        mod in_folder {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::given::Kept::InFolder).await; })+
        }
        mod in_bucket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::given::Kept::InBucket).await; })+
        }
    };
}
pub(crate) use in_both;

pub(crate) struct Given {
    pub(crate) store: BlobStore,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Clock,
    folder: Option<TempDir>,
    pub(crate) server: Option<Server>,
}

pub(crate) fn bucket(endpoint: &str) -> BucketSettings {
    BucketSettings {
        bucket: BUCKET.to_owned(),
        prefix: "weft/here".to_owned(),
        endpoint: Some(endpoint.parse().unwrap()),
        region: REGION.to_owned(),
        access_key_id: ACCESS_KEY_ID.into(),
        secret_access_key: SECRET_ACCESS_KEY.into(),
        ca: None,
    }
}

impl Given {
    pub(crate) fn start(kept: Kept) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let (settings, folder, server) = match kept {
            Kept::InFolder => {
                let folder = tempfile::tempdir().unwrap();
                (PlaceSettings::Folder(folder.path().join("blobs")), Some(folder), None)
            }
            Kept::InBucket => {
                let server = Server::start().unwrap_or_else(|error| panic!("{error}"));
                (PlaceSettings::Bucket(bucket(&server.endpoint())), None, Some(server))
            }
        };
        let store = BlobStore::open(&settings).unwrap();
        Self { blobs: store.of("gallery"), store, clock, folder, server }
    }

    /// A call of a new tenant.
    pub(crate) fn call(&self) -> Call {
        self.call_of(TenantId(Uuid::now_v7()))
    }

    pub(crate) fn call_of(&self, tenant: TenantId) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        parts.scope = Scope::Tenant(tenant);
        parts.build()
    }

    /// The files that hold blobs, or what is left of them.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let root = match (&self.folder, &self.server) {
            (Some(folder), _) => folder.path().join("blobs"),
            (None, Some(server)) => server.objects(),
            (None, None) => unreachable!("one of the two"),
        };
        let mut files = Vec::new();
        walk(&root, &mut files);
        files.retain(|file| !file.ends_with("link.key"));
        files
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    // What is being deleted meanwhile is not there.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

/// What begins as a picture does, and goes on for `size` bytes.
pub(crate) fn png(size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend((0..size.saturating_sub(bytes.len())).map(|at| at.to_le_bytes()[0]));
    bytes.truncate(size);
    bytes
}

/// As a body of HTTP comes: in pieces of some kilobytes.
pub(crate) fn pieces(bytes: &[u8]) -> impl Stream<Item = weft_call::Result<Bytes>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(60_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

pub(crate) async fn read(pieces: Pieces) -> Vec<u8> {
    let read: Vec<Bytes> = pieces.try_collect().await.unwrap();
    read.concat()
}
