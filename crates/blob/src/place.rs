//! Where blobs are kept: a folder, or a bucket.

use std::{fs, io, path::PathBuf, sync::Arc};

use object_store::{ObjectStore, ObjectStoreExt as _, aws::AmazonS3, local::LocalFileSystem, path::Path};

use crate::{
    BlobError, Blobs,
    bucket::{self, BucketSettings},
    link::LinkKey,
};

/// Where blobs are to be kept.
#[derive(Clone, Debug)]
pub enum PlaceSettings {
    /// A folder of this machine, which is made if it is not there.
    Folder(PathBuf),
    /// A bucket that speaks S3.
    Bucket(BucketSettings),
}

/// Where a process keeps blobs. Clones share it.
#[derive(Clone, Debug)]
pub struct BlobStore(pub(crate) Arc<Place>);

#[derive(Debug)]
pub(crate) enum Place {
    Folder { root: PathBuf, files: LocalFileSystem, links: LinkKey },
    Bucket { objects: AmazonS3, prefix: Path },
}

impl BlobStore {
    /// Opens it. A folder is made with its key for links; a bucket is not reached before it is needed.
    pub fn open(settings: &PlaceSettings) -> Result<Self, BlobError> {
        let place = match settings {
            PlaceSettings::Folder(folder) => {
                make(folder).map_err(|source| BlobError::Folder { folder: folder.clone(), source })?;
                let root = folder.canonicalize().map_err(|source| BlobError::Folder { folder: folder.clone(), source })?;
                // What was answered with success is on the disk.
                let files = LocalFileSystem::new_with_prefix(&root).map_err(BlobError::Unavailable)?.with_fsync(true);
                Place::Folder { links: LinkKey::of(&root)?, root, files }
            }
            PlaceSettings::Bucket(settings) => {
                Place::Bucket { objects: bucket::open(settings)?, prefix: Path::from(settings.prefix.as_str()) }
            }
        };
        Ok(Self(Arc::new(place)))
    }

    /// A domain's part of it.
    pub fn of(&self, domain: &'static str) -> Blobs {
        Blobs { place: Arc::clone(&self.0), domain }
    }

    /// Whether it answers: asks for a blob that is not there.
    pub async fn check(&self) -> Result<(), BlobError> {
        let nowhere = self.0.prefix().join("tenant").join("none");
        match self.0.store().head(&nowhere).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(BlobError::Unavailable(error)),
        }
    }
}

impl Place {
    pub(crate) fn store(&self) -> &dyn ObjectStore {
        match self {
            Self::Folder { files, .. } => files,
            Self::Bucket { objects, .. } => objects,
        }
    }

    /// Under what all keys are.
    pub(crate) fn prefix(&self) -> Path {
        match self {
            Self::Folder { .. } => Path::default(),
            Self::Bucket { prefix, .. } => prefix.clone(),
        }
    }
}

/// Makes a folder that its owner alone can look into.
fn make(folder: &std::path::Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
