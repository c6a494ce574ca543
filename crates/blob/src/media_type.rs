//! What bytes may be (RFC 6838), and whether they are.
//!
//! Rule: only types that a browser shows without running anything are shown by it; all others are downloads. SVG and HTML
//! are not among them: they run scripts.

/// A type that blobs can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `image/png`
    Png,
    /// `image/jpeg`
    Jpeg,
    /// `image/gif`
    Gif,
    /// `image/webp`
    Webp,
    /// `application/pdf`
    Pdf,
    /// `application/zip`
    Zip,
    /// `audio/mpeg`
    Mp3,
    /// `audio/ogg`
    Ogg,
    /// `video/mp4`
    Mp4,
    /// `video/webm`
    Webm,
    /// `text/csv`
    Csv,
    /// `application/json`
    Json,
}

/// So many of the first bytes tell what a blob is.
pub(crate) const HEAD: usize = 8 * 1024;

impl MediaType {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Png,
        Self::Jpeg,
        Self::Gif,
        Self::Webp,
        Self::Pdf,
        Self::Zip,
        Self::Mp3,
        Self::Ogg,
        Self::Mp4,
        Self::Webm,
        Self::Csv,
        Self::Json,
    ];

    /// As the header `Content-Type` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
            Self::Zip => "application/zip",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// What names of such files end with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
            Self::Zip => "zip",
            Self::Mp3 => "mp3",
            Self::Ogg => "ogg",
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    /// Whether a browser may show it in place.
    pub const fn is_image(self) -> bool {
        matches!(self, Self::Png | Self::Jpeg | Self::Gif | Self::Webp)
    }

    /// Whether the bytes have no mark of their own by which they could be told.
    const fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Json)
    }

    /// Whether a blob that begins so is of this type; if not, what it is instead, where that can be told.
    pub(crate) fn check(self, head: &[u8]) -> Result<(), Option<&'static str>> {
        let found = infer::get(head).map(|found| found.mime_type());
        match found {
            None if self.is_text() && !head.contains(&0) => Ok(()),
            Some(found) if found == self.name() && !self.is_text() => Ok(()),
            found => Err(found),
        }
    }

    /// The header `Content-Disposition` (RFC 6266) of a blob: images in place, all else as a file of this name.
    pub(crate) fn disposition(self, kind: &str) -> String {
        let how = if self.is_image() { "inline" } else { "attachment" };
        format!("{how}; filename=\"{kind}.{}\"", self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn bytes_are_what_their_marks_say_and_not_what_is_declared() {
        assert_eq!(MediaType::Png.check(PNG), Ok(()));
        assert_eq!(MediaType::Jpeg.check(PNG), Err(Some("image/png")));
        assert_eq!(MediaType::Png.check(b"<!DOCTYPE html><script>alert(1)</script>"), Err(Some("text/html")));
        assert_eq!(MediaType::Png.check(b""), Err(None));
    }

    #[test]
    fn text_without_a_mark_is_text_until_it_looks_like_something_else() {
        assert_eq!(MediaType::Csv.check(b"id,name\n1,Ann\n"), Ok(()));
        assert_eq!(MediaType::Csv.check(b"<!DOCTYPE html><p>hello"), Err(Some("text/html")));
        assert_eq!(MediaType::Json.check(PNG), Err(Some("image/png")));
        assert_eq!(MediaType::Csv.check(b"a\0b"), Err(None));
    }

    #[test]
    fn every_type_is_found_by_its_name_and_only_images_are_shown_in_place() {
        for media in MediaType::ALL {
            assert_eq!(MediaType::from_name(media.name()), Some(media));
            assert_eq!(media.disposition("x").starts_with("inline"), media.name().starts_with("image/"));
        }
    }
}
