//! A bucket that speaks S3.

mod client;

use std::{path::PathBuf, time::Duration};

use object_store::{
    BackoffConfig, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::BlobError;

/// For so long a bucket that fails is asked again.
pub const RETRY_LIMIT: Duration = Duration::from_secs(10);

const RETRIES: usize = 3;

/// A bucket, and how it is reached.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// Its name.
    pub bucket: String,
    /// Under what in it all keys are; empty for none.
    pub prefix: String,
    /// The server, where that is not Amazon's: buckets are then parts of its paths.
    pub endpoint: Option<Url>,
    /// The region that requests are signed for.
    pub region: String,
    /// Who asks.
    pub access_key_id: SecretString,
    /// What requests are signed with.
    pub secret_access_key: SecretString,
    /// Certificates of authorities (PEM) that the server's must be issued by, instead of those that the Web trusts.
    pub ca: Option<PathBuf>,
}

pub(crate) fn open(settings: &BucketSettings) -> Result<AmazonS3, BlobError> {
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_LIMIT };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        .with_access_key_id(settings.access_key_id.expose_secret())
        .with_secret_access_key(settings.secret_access_key.expose_secret())
        .with_retry(retry)
        .with_http_connector(client::Connector::new(settings.ca.as_deref())?);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/')).with_allow_http(endpoint.scheme() == "http");
    } else {
        builder = builder.with_virtual_hosted_style_request(true);
    }
    builder.build().map_err(BlobError::Bucket)
}
