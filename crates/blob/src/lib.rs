//! Files by key: avatars, media, invoices, exports.
//!
//! # Problem
//!
//! Files are too large for a database, and come from strangers: of any size, of another type than they say, under
//! names that lead elsewhere. A laptop keeps them in a folder; production in a bucket that speaks S3.
//!
//! # Rule
//!
//! [`BlobStore`] is the place, opened once a process; [`Blobs`] is a domain's part of it. Both places behave alike.
//!
//! - A key is `tenant/TENANT/DOMAIN/shared/KIND/ID`, or `tenant/TENANT/DOMAIN/person/PERSON/KIND/ID` for what belongs to a
//!   person. All parts are ids or names of the code ([`BlobKey`]): nothing that a stranger sends becomes a part of a path.
//! - A [`BlobKind`] says how large its blobs may be and of which types. The type that a sender declares is compared with
//!   the first bytes ([`MediaType`]): a page that says it is an image is refused.
//! - A blob is whole or not there: what is too large, breaks off or is of the wrong type leaves nothing behind. It is never
//!   changed, only deleted: another content has another key.
//! - No blob is reached by a call of another tenant.
//! - A [`Link`] lets its holder read one blob for a while: the bucket's own presigned address, or a token that the domain
//!   gives back to [`Blobs::follow`].
//!
//! Which blobs there are, and what of them is told to whom, is in the domain's database: a blob is put first and recorded
//! then, and deleted after the record is gone. A crash in between leaves a blob that nobody knows; [`Blobs::list`] finds it.
//!
//! # Recovery
//!
//! A bucket that does not answer is asked again within [`RETRY_LIMIT`]; then the call fails with
//! [`BlobError::Unavailable`]. An upload to a bucket that was killed half-way leaves parts there that cost money and are
//! no blob: give the bucket a lifecycle rule that aborts incomplete multipart uploads after a day.

mod blobs;
mod bucket;
mod error;
mod key;
mod kind;
mod link;
mod media_type;
mod place;
mod upload;

pub use blobs::{Blob, Blobs, Found, Pieces};
pub use bucket::{BucketSettings, RETRY_LIMIT};
pub use error::BlobError;
pub use key::{BlobKey, Owner};
pub use kind::BlobKind;
pub use link::{Followed, Link};
pub use media_type::MediaType;
pub use place::{BlobStore, PlaceSettings};
pub use upload::Stored;
