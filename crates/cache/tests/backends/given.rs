//! Where the entries of a test lie.

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use secrecy::SecretString;
use uuid::Uuid;
use weft_cache::{Cache, CacheEntries, CachePolicy, Codec, Counters, Ephemeral, EphemeralEntries, InProcess, Redis};
use weft_call::TenantId;
use weft_test_redis::Cluster;

/// Long enough for a busy machine, for what takes no time.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Makes each behaviour a test on each backend.
macro_rules! on_every_backend {
    ($($behaviour:ident)+) => {
        mod in_process {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(crate::given::in_process()).await })+
        }
        mod redis {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(crate::given::redis()).await })+
        }
        mod cluster {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(crate::given::cluster()).await })+
        }
    };
}

/// The same with threads.
macro_rules! on_every_backend_at_once {
    ($($behaviour:ident)+) => {
        mod in_process {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() { super::$behaviour(crate::given::in_process()).await })+
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() { super::$behaviour(crate::given::redis()).await })+
        }
        mod cluster {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() { super::$behaviour(crate::given::cluster()).await })+
        }
    };
}

pub(crate) use {on_every_backend, on_every_backend_at_once};

/// A backend, and a tenant that no other test uses.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) cached: Arc<dyn CacheEntries>,
    pub(crate) ephemeral: Arc<dyn EphemeralEntries>,
    pub(crate) counters: Arc<dyn Counters>,
    pub(crate) tenant: TenantId,
    clock_is_ours: bool,
}

pub(crate) fn in_process() -> Given {
    Given { clock_is_ours: true, ..on(&InProcess::new()) }
}

pub(crate) fn redis() -> Given {
    redis_at(&weft_test_redis::address().unwrap())
}

/// A cluster that all tests of the process share.
pub(crate) fn cluster() -> Given {
    static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start().unwrap());
    redis_at(&CLUSTER.address())
}

pub(crate) fn redis_at(address: &str) -> Given {
    on(&Redis::new(&SecretString::from(address)).unwrap())
}

fn on<B: CacheEntries + EphemeralEntries + Counters + Clone>(backend: &B) -> Given {
    Given {
        cached: Arc::new(backend.clone()),
        ephemeral: Arc::new(backend.clone()),
        counters: Arc::new(backend.clone()),
        tenant: a_tenant(),
        clock_is_ours: false,
    }
}

pub(crate) fn a_tenant() -> TenantId {
    TenantId(Uuid::new_v4())
}

pub(crate) const POLICY: CachePolicy = CachePolicy { ttl: Duration::from_mins(5), negative_ttl: Some(Duration::from_mins(1)) };

impl Given {
    /// A cache as another process would have it: only the backend is shared.
    pub(crate) fn cache<V: Send + Sync>(&self) -> Cache<str, V>
    where
        weft_cache::Protobuf: Codec<V>,
    {
        self.cache_by(POLICY)
    }

    pub(crate) fn cache_by<V: Send + Sync, C: Codec<V>>(&self, policy: CachePolicy) -> Cache<str, V, C> {
        Cache::new("test.things", policy, Arc::clone(&self.cached)).unwrap()
    }

    pub(crate) fn sessions(&self) -> Ephemeral<str, String> {
        Ephemeral::new("test.sessions", Arc::clone(&self.ephemeral)).unwrap()
    }

    /// Lets time pass: real time where Redis keeps it.
    pub(crate) async fn pass(&self, span: Duration) {
        if self.clock_is_ours {
            tokio::time::pause();
            tokio::time::advance(span).await;
            tokio::time::resume();
        } else {
            tokio::time::sleep(span).await;
        }
    }
}

/// A source that has the value.
pub(crate) async fn has(value: &str) -> Result<Option<String>, Infallible> {
    Ok(Some(value.to_owned()))
}

/// A source that must not be asked.
pub(crate) async fn not_asked<V>() -> Result<Option<V>, Infallible> {
    panic!("the source was asked for what is held")
}
