//! Where files are kept.

use tokio::time::timeout;
use weft_config::{BlobsUrl, Config};

use super::{LIMIT, finding::Findings, records::look_at_folder};
use crate::failure::sentence;

/// The folder can be written, or the bucket answers.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    match &config.blobs.url {
        None if config.database.url.is_some() => {
            let found = "nowhere: avatars and other files are refused";
            findings.warning("blobs", found, "set blobs.url to a bucket, or to a folder that all processes share");
        }
        // A folder in data_dir, which is looked at by itself.
        None => {}
        Some(BlobsUrl::Folder(folder)) => _ = look_at_folder("blobs.url", folder, findings),
        Some(BlobsUrl::Bucket { name, .. }) => look_at_bucket(config, name, findings).await,
    }
}

async fn look_at_bucket(config: &Config, name: &str, findings: &mut Findings) {
    let remedy = "see whether blobs.endpoint answers, and whether blobs.access_key_id may read and write the bucket";
    let store = match weft_mesh::open_blobs(config) {
        Ok(Some(store)) => store,
        Ok(None) => return,
        Err(error) => return findings.bad("blobs", sentence(&error), remedy),
    };
    match timeout(LIMIT, store.check()).await {
        Ok(Ok(())) => findings.good("blobs", format!("the bucket {name} answers")),
        Ok(Err(error)) => findings.bad("blobs", sentence(&error), remedy),
        Err(_) => findings.bad("blobs", format!("no answer within {} s", LIMIT.as_secs()), remedy),
    }
}
