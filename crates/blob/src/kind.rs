//! What a domain keeps blobs of.

use crate::MediaType;

/// A kind of blob of a domain: how large, and of which types.
///
/// ```
/// use weft_blob::{BlobKind, MediaType};
///
/// const AVATAR: BlobKind = BlobKind::new("avatar", &[MediaType::Png, MediaType::Jpeg], 1 << 20);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BlobKind {
    name: &'static str,
    types: &'static [MediaType],
    most: u64,
}

/// No blob of any kind may be larger: 5 GiB.
const LARGEST: u64 = 5 << 30;

impl BlobKind {
    /// A kind whose blobs have `most` bytes at most and are of one of these types. Its name has lower-case letters and `_`.
    ///
    /// # Panics
    ///
    /// At compile time, if the name is none, there are no types, or `most` is zero or above 5 GiB.
    pub const fn new(name: &'static str, types: &'static [MediaType], most: u64) -> Self {
        let letters = name.as_bytes();
        assert!(!letters.is_empty() && letters.len() <= 40, "a kind's name has 1 to 40 letters");
        let mut at = 0;
        while at < letters.len() {
            assert!(letters[at].is_ascii_lowercase() || letters[at] == b'_', "a kind's name has lower-case letters and _");
            at += 1;
        }
        assert!(!types.is_empty(), "a kind has a type at least");
        assert!(most > 0 && most <= LARGEST, "a kind's blobs have between one byte and 5 GiB");
        Self { name, types, most }
    }

    /// Its name, a part of its blobs' keys.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The types that its blobs may be of.
    pub const fn types(&self) -> &'static [MediaType] {
        self.types
    }

    /// The most bytes that a blob may have.
    pub const fn most(&self) -> u64 {
        self.most
    }

    /// The type that a sender declares, parameters aside, if the kind takes it.
    pub(crate) fn declared(&self, text: &str) -> Option<MediaType> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        self.types.iter().copied().find(|known| known.name().eq_ignore_ascii_case(essence))
    }
}
