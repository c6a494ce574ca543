//! Where the domains of a process keep files, as the configuration says.

use weft_blob::{BlobStore, BucketSettings, PlaceSettings};
use weft_config::{BlobsUrl, Config};

use crate::StartError;

/// The folder in the data directory that a laptop keeps files in.
const FOLDER: &str = "blobs";

/// Opens the place where files are kept; nothing if there is none.
pub fn open_blobs(config: &Config) -> Result<Option<BlobStore>, StartError> {
    let settings = settings(config).map_err(StartError::BucketKeys)?;
    settings.map(|settings| BlobStore::open(&settings)).transpose().map_err(StartError::Blobs)
}

/// What the configuration says of it. Records in a database that others share go with files that others share: a folder of
/// this machine alone would lose them.
pub(crate) fn settings(config: &Config) -> Result<Option<PlaceSettings>, &'static str> {
    let blobs = &config.blobs;
    Ok(match &blobs.url {
        None if config.database.url.is_some() => None,
        None => Some(PlaceSettings::Folder(config.data_dir.join(FOLDER))),
        Some(BlobsUrl::Folder(folder)) => Some(PlaceSettings::Folder(folder.clone())),
        Some(BlobsUrl::Bucket { name, prefix }) => Some(PlaceSettings::Bucket(BucketSettings {
            bucket: name.clone(),
            prefix: prefix.clone(),
            endpoint: blobs.endpoint.clone(),
            region: blobs.region.clone(),
            access_key_id: blobs.access_key_id.clone().ok_or("blobs.access_key_id")?,
            secret_access_key: blobs.secret_access_key.clone().ok_or("blobs.secret_access_key")?,
            ca: blobs.ca.clone(),
        })),
    })
}
