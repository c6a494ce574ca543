//! Why a blob cannot be kept or given.

use std::{io, path::PathBuf};

use weft_call::{Code, Error, MeshReason};

use crate::MediaType;

/// Why a blob cannot be kept or given.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is larger than its kind allows.
    #[error("it is larger than {most} bytes")]
    TooLarge {
        /// The most bytes that it may have.
        most: u64,
    },
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// What it is said to be is not among the types of its kind.
    #[error("its type must be one of {}", names(allowed))]
    TypeNotAllowed {
        /// The types of the kind.
        allowed: &'static [MediaType],
    },
    /// Its bytes are not what it is said to be.
    #[error("it is not {}{}", declared.name(), found.map(|found| format!(" but {found}")).unwrap_or_default())]
    TypeMismatch {
        /// What it is said to be.
        declared: MediaType,
        /// What it looks like.
        found: Option<&'static str>,
    },
    /// There is no such blob, for this call.
    #[error("there is no such blob")]
    NotFound,
    /// The part that is asked for is not in the blob.
    #[error("the blob has no such part")]
    RangeNotSatisfiable,
    /// A link that was not given out here, or not for this.
    #[error("the link is damaged, or was not given out for this")]
    LinkInvalid,
    /// A link whose time is over.
    #[error("the link has expired")]
    LinkExpired,
    /// A link for less than a second, or for longer than seven days.
    #[error("a link holds between a second and seven days")]
    LinkLifetime,
    /// What the mesh refuses: the call has no tenant, or the bytes broke off.
    #[error(transparent)]
    Mesh(#[from] Error),
    /// The place cannot be reached, or refuses.
    #[error("the place where blobs are kept failed: {0}")]
    Unavailable(#[source] object_store::Error),
    /// The folder cannot be used.
    #[error("the folder of blobs {} cannot be used: {source}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder's key that signs links is damaged.
    #[error("{} must hold 64 hexadecimal digits: delete it, and links that were given out end", file.display())]
    LinkKey {
        /// Where it is.
        file: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    NoRandomness,
    /// The certificates that the bucket is to be trusted by cannot be read.
    #[error("{} holds no certificates that can be read (PEM)", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
    },
    /// The bucket's settings do not go together.
    #[error("the bucket cannot be used: {0}")]
    Bucket(#[source] object_store::Error),
}

fn names(types: &[MediaType]) -> String {
    types.iter().map(|media| media.name()).collect::<Vec<_>>().join(", ")
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            error => Self::Unavailable(error),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        let text = error.to_string();
        match error {
            BlobError::TooLarge { most } => Self::new(MeshReason::MessageTooLarge, text).with_metadata("limit", most.to_string()),
            BlobError::Empty | BlobError::TypeMismatch { .. } => Self::invalid_field("data", text),
            BlobError::TypeNotAllowed { .. } => Self::invalid_field("content_type", text),
            BlobError::NotFound => Self::without_reason(Code::NotFound, text),
            BlobError::RangeNotSatisfiable => Self::without_reason(Code::OutOfRange, text),
            BlobError::LinkInvalid => Self::new(MeshReason::CredentialsInvalid, text),
            BlobError::LinkExpired => Self::new(MeshReason::CredentialsExpired, text),
            BlobError::Mesh(error) => error,
            // What the place says may name hosts and paths: it goes to the log alone.
            BlobError::Unavailable(_) => {
                Self::new(MeshReason::StoreUnavailable, "the place where blobs are kept does not answer").with_source(error)
            }
            BlobError::LinkLifetime
            | BlobError::Folder { .. }
            | BlobError::LinkKey { .. }
            | BlobError::NoRandomness
            | BlobError::Authority { .. }
            | BlobError::Bucket(_) => Self::internal(error),
        }
    }
}
