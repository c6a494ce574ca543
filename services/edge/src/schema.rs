//! The schema of an edge that stands alone: where it comes from, and how it changes while the edge serves.
//!
//! Problem: whoever adds a method to a server does not want to restart what stands in front of it, and half a schema, or
//! a wrong one, must not take down what works. Rule: the source is looked at every few seconds. What two looks in a row
//! have seen alike is read whole and made into a whole catalogue; only then it takes the place of the one before, at once
//! for all requests that begin from then on. Recovery: a schema that cannot be used is refused with its reason in the
//! log, once, and the one before serves on; so it does while the source cannot be read.

mod file;
mod policy;
mod reflection;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use weft_transport::Upstreams;

use crate::{catalogue::Catalogue, error::EdgeError, front::Front};
pub(crate) use policy::Policies;
pub use policy::UPSTREAM;
pub use reflection::ReflectionError;

/// Most bytes of a descriptor set.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long the edge waits at its start for a source that cannot be read yet.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries at the start.
const PAUSE: Duration = Duration::from_millis(250);

/// Where the schema of an edge that stands alone comes from.
#[derive(Clone, Debug)]
pub enum SchemaSource {
    /// A file that holds a `google.protobuf.FileDescriptorSet`, such as `protoc --include_imports
    /// --descriptor_set_out` or `buf build --as-file-descriptor-set` write.
    File(PathBuf),
    /// The server's own reflection, `grpc.reflection.v1` or else `v1alpha`.
    Reflection,
}

/// What a source holds at one moment.
#[derive(Debug)]
struct Described {
    set: Vec<u8>,
    /// The services that the server says it has; all of the set if it says nothing.
    services: Option<BTreeSet<String>>,
}

/// Keeps the schema of an edge current.
pub(crate) struct Follower {
    source: SchemaSource,
    upstreams: Upstreams,
    policies: Policies,
    /// The digest of what was taken or refused last.
    known: u64,
    /// The digest of what was seen last.
    seen: u64,
    /// Why the source could not be read last.
    trouble: Option<String>,
}

impl Follower {
    /// Reads the schema that the edge begins with. A server that is not up yet is waited for.
    pub(crate) async fn begin(source: SchemaSource, upstreams: Upstreams) -> Result<(Self, Catalogue), EdgeError> {
        let mut follower = Self { source, upstreams, policies: Policies::default(), known: 0, seen: 0, trouble: None };
        let until = Instant::now() + PATIENCE;
        let described = loop {
            match follower.read().await {
                Ok(described) => break described,
                Err(error) if matches!(follower.source, SchemaSource::File(_)) || Instant::now() >= until => return Err(error),
                Err(error) => tracing::info!(%error, "waiting for the server"),
            }
            tokio::time::sleep(PAUSE).await;
        };
        follower.known = described.digest();
        follower.seen = follower.known;
        let catalogue = described.catalogue(&mut follower.policies)?;
        Ok((follower, catalogue))
    }

    /// Follows the source for as long as the edge runs.
    pub(crate) async fn follow(mut self, front: Arc<Front>, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            match self.look().await {
                None => {}
                Some(Ok(catalogue)) => {
                    let methods = catalogue.count();
                    front.catalogue.store(Arc::new(catalogue));
                    tracing::info!(methods, "another schema serves from now on");
                }
                Some(Err(error)) => {
                    front.metrics.upkeep().count_schema_refused();
                    tracing::error!(%error, "a new schema is refused; the one before serves on");
                }
            }
        }
    }

    /// The catalogue of a schema that has changed and holds still, or why it cannot be used.
    async fn look(&mut self) -> Option<Result<Catalogue, EdgeError>> {
        let described = match self.read().await {
            Ok(described) => described,
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(%error, "the schema cannot be read; the one before serves on");
                    self.trouble = Some(trouble);
                }
                return None;
            }
        };
        self.trouble = None;
        let digest = described.digest();
        if std::mem::replace(&mut self.seen, digest) != digest || digest == self.known {
            return None;
        }
        self.known = digest;
        Some(described.catalogue(&mut self.policies))
    }

    async fn read(&self) -> Result<Described, EdgeError> {
        match &self.source {
            SchemaSource::File(path) => file::read(path).await,
            SchemaSource::Reflection => Ok(reflection::read(&self.upstreams).await?),
        }
    }
}

impl Described {
    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.set, &self.services).hash(&mut hasher);
        hasher.finish()
    }

    fn catalogue(&self, policies: &mut Policies) -> Result<Catalogue, EdgeError> {
        Catalogue::of_descriptors(&self.set, self.services.as_ref(), policies)
    }
}
