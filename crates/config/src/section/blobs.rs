//! `[blobs]`: where files are kept.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};
use url::Url;

use crate::setting::Setting;
use crate::units;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::text(
        "blobs.url",
        "a folder (file:///var/lib/weft/blobs) or a bucket (s3://bucket or s3://bucket/prefix)",
        "Where files are kept: avatars, media, exports. A folder must be one that all processes share.",
    )
    .otherwise("with SQLite, the folder blobs in data_dir; with PostgreSQL, nowhere, and calls that need files are refused"),
    Setting::text(
        "blobs.endpoint",
        "an http:// or https:// address without a password",
        "The server that has the bucket, where that is not Amazon's: https://minio.internal:9000.",
    )
    .otherwise("Amazon's, by blobs.region"),
    Setting::text("blobs.region", "a name of lower-case letters, digits and hyphens", "The region that the bucket is in.")
        .default("us-east-1"),
    Setting::text("blobs.access_key_id", "an access key id", "Who asks the bucket.").secret(),
    Setting::file_of("blobs.access_key_id_file", "blobs.access_key_id"),
    Setting::consul_key_of("blobs.access_key_id_consul_key", "blobs.access_key_id"),
    Setting::text("blobs.secret_access_key", "a secret access key", "What requests to the bucket are signed with.").secret(),
    Setting::file_of("blobs.secret_access_key_file", "blobs.secret_access_key"),
    Setting::consul_key_of("blobs.secret_access_key_consul_key", "blobs.secret_access_key"),
    Setting::text(
        "blobs.ca",
        "a file of certificates (PEM)",
        "The authorities that the bucket's server is trusted by, in place of those that the Web trusts.",
    )
    .otherwise("the Web's"),
];

/// Where files are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blobs {
    /// The place.
    #[serde(default, deserialize_with = "place")]
    pub url: Option<BlobsUrl>,
    /// The bucket's server; Amazon's without it.
    #[serde(default, deserialize_with = "endpoint")]
    pub endpoint: Option<Url>,
    /// The bucket's region.
    #[serde(deserialize_with = "region")]
    pub region: String,
    /// Who asks the bucket.
    #[serde(default)]
    pub access_key_id: Option<SecretString>,
    /// What requests are signed with.
    #[serde(default)]
    pub secret_access_key: Option<SecretString>,
    /// The authorities that the bucket's server is trusted by.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A place for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobsUrl {
    /// A folder.
    Folder(PathBuf),
    /// A bucket that speaks S3.
    Bucket {
        /// Its name.
        name: String,
        /// Under what in it everything is; empty for none.
        prefix: String,
    },
}

fn place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BlobsUrl>, D::Error> {
    let text = String::deserialize(deserializer)?;
    read(&text).map(Some).ok_or_else(|| de::Error::custom("neither a folder nor a bucket"))
}

fn read(text: &str) -> Option<BlobsUrl> {
    let url = Url::parse(text).ok()?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.port().is_some() {
        return None;
    }
    match url.scheme() {
        "file" if text.starts_with("file:///") => url.to_file_path().ok().map(BlobsUrl::Folder),
        "s3" => {
            let name = url.host_str()?;
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            // Amazon S3 User Guide, "general purpose bucket naming rules".
            let is_name = (3..=63).contains(&name.len()) && name.chars().all(is_plain);
            let prefix = url.path().trim_matches('/').to_owned();
            let is_prefix = prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
            (is_name && is_prefix).then(|| BlobsUrl::Bucket { name: name.to_owned(), prefix })
        }
        _ => None,
    }
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    units::parse_http_url(&text).map(Some).map_err(de::Error::custom)
}

fn region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&text.len()) && text.chars().all(is_plain) {
        return Ok(text);
    }
    Err(de::Error::custom("not a plain name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_by_its_whole_path_or_a_bucket() {
        assert_eq!(read("file:///var/lib/weft"), Some(BlobsUrl::Folder("/var/lib/weft".into())));
        let bucket = |name: &str, prefix: &str| Some(BlobsUrl::Bucket { name: name.to_owned(), prefix: prefix.to_owned() });
        assert_eq!(read("s3://weft-blobs"), bucket("weft-blobs", ""));
        assert_eq!(read("s3://weft.blobs/one/two/"), bucket("weft.blobs", "one/two"));
        for text in [
            "blobs",
            "file:blobs",
            "file://host/blobs",
            "s3://",
            "s3://Up_per",
            "s3://key:secret@bucket",
            "s3://b/../../x?y",
            "https://s3/b",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
