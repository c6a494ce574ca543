//! A domain that publishes and one that handles, and what carries between them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_call::{Call, CallBuilder, Clock, Error, Event, EventContract, MeshReason, Principal, Scope, TenantId, TopicPattern};
use weft_events::{Carrier, Consumer, Handle, Handler, InProcess, Relay, Together};
use weft_store::{Databases, DomainSchema, Migrations, Read, Settings, Store, Tx, sqlx, statements};
use weft_telemetry::Metrics;
use weft_test_carriers::Kind;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("tests/events/migrations");

/// Long enough for a busy machine, for what takes no time.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);
/// So short that a test can wait for its end.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

statements! {
    ADD_EFFECT =
        "INSERT INTO effects (tenant_id, number, event_key, step) \
         VALUES ($1, (SELECT count(*) FROM effects WHERE tenant_id = $1 AND event_key = $2), $2, $3)";
    LIST_EFFECTS = "SELECT event_key, step FROM effects WHERE tenant_id = $1 ORDER BY event_key, number LIMIT 100000";
}

/// A step of something, published by the domain `shop`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Stepped {
    #[prost(string, tag = "1")]
    pub(crate) what: String,
    #[prost(int64, tag = "2")]
    pub(crate) step: i64,
}

impl Event for Stepped {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.thing.stepped",
        domain: "shop",
        message: "weft.shop.v1.Stepped",
        key: "what",
        permission: None,
    };

    fn key(&self) -> &str {
        &self.what
    }
}

/// Another event of the same things.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ended {
    #[prost(string, tag = "1")]
    pub(crate) what: String,
}

impl Event for Ended {
    const EVENT: &'static EventContract = &EventContract {
        topic: "events.thing.ended",
        domain: "shop",
        message: "weft.shop.v1.Ended",
        key: "what",
        permission: None,
    };

    fn key(&self) -> &str {
        &self.what
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    InProcess,
    Redis,
    Nats,
    RabbitMq,
    Kafka,
}

impl By {
    pub(crate) const ALL: [Self; 5] = [Self::InProcess, Self::Redis, Self::Nats, Self::RabbitMq, Self::Kafka];
}

/// Runs a behaviour on both databases and by every carrier.
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {
        $crate::given::everywhere! { @ sqlite_in_process Sqlite InProcess: $($name),+ }
        $crate::given::everywhere! { @ sqlite_redis Sqlite Redis: $($name),+ }
        $crate::given::everywhere! { @ sqlite_nats Sqlite Nats: $($name),+ }
        $crate::given::everywhere! { @ sqlite_rabbitmq Sqlite RabbitMq: $($name),+ }
        $crate::given::everywhere! { @ sqlite_kafka Sqlite Kafka: $($name),+ }
        $crate::given::everywhere! { @ postgres_in_process Postgres InProcess: $($name),+ }
        $crate::given::everywhere! { @ postgres_redis Postgres Redis: $($name),+ }
        $crate::given::everywhere! { @ postgres_nats Postgres Nats: $($name),+ }
        $crate::given::everywhere! { @ postgres_rabbitmq Postgres RabbitMq: $($name),+ }
        $crate::given::everywhere! { @ postgres_kafka Postgres Kafka: $($name),+ }
    };
    (@ $module:ident $backend:ident $by:ident: $($name:ident),+) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::given::House::open($crate::given::Backend::$backend, $crate::given::By::$by).await).await;
            })+
        }
    };
}
pub(crate) use everywhere;

/// What the handler does when a key comes that it should fail at.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// The key that it fails at; all keys if it is `*`.
    pub(crate) key: std::sync::Mutex<Option<(String, MeshReason)>>,
    /// How often it failed.
    pub(crate) failures: AtomicUsize,
    /// Panics instead.
    pub(crate) panics: AtomicBool,
    /// After its effect is written and before the commit, it waits for ever.
    pub(crate) hangs: AtomicBool,
    /// How often it hung.
    pub(crate) hung: AtomicUsize,
}

impl Trouble {
    pub(crate) fn at(&self, key: &str, reason: MeshReason) {
        *self.key.lock().unwrap() = Some((key.to_owned(), reason));
    }

    pub(crate) fn mend(&self) {
        *self.key.lock().unwrap() = None;
    }

    fn of(&self, key: &str) -> Option<MeshReason> {
        self.key.lock().unwrap().as_ref().filter(|(at, _)| at == key || at == "*").map(|(_, reason)| *reason)
    }
}

/// The two domains. `shop` publishes, `mail` handles.
pub(crate) struct House {
    pub(crate) shop: Store,
    pub(crate) mail: Store,
    pub(crate) carrier: Arc<dyn Carrier>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) trouble: Arc<Trouble>,
    pub(crate) patterns: Vec<&'static str>,
    /// Of the carrier, unless that is in process.
    pub(crate) address: Option<SecretString>,
    /// Begins every name at a carrier that others use too.
    pub(crate) namespace: String,
    _server: Option<weft_test_redis::Server>,
    _folder: TempDir,
}

fn schema(domain: &'static str) -> DomainSchema {
    let schema = DomainSchema::new(domain).part(weft_events::schema_part());
    if domain == "mail" {
        return schema.migrations(Migrations { shared: &MIGRATIONS, postgres: None }).statements(STATEMENTS);
    }
    schema
}

impl House {
    pub(crate) async fn open(backend: Backend, by: By) -> Self {
        Self::with(backend, by, vec!["events.thing.*"]).await
    }

    pub(crate) async fn with(backend: Backend, by: By, patterns: Vec<&'static str>) -> Self {
        let shared = |kind| Some(weft_test_carriers::address(kind).unwrap_or_else(|error| panic!("{error}")));
        let mut server = None;
        let address = match by {
            By::InProcess => None,
            By::Redis => {
                let started = weft_test_redis::Server::start().unwrap_or_else(|error| panic!("{error}"));
                Some(server.insert(started).address())
            }
            By::Nats => shared(Kind::Nats),
            By::RabbitMq => shared(Kind::RabbitMq),
            By::Kafka => shared(Kind::Kafka),
        };
        Self { _server: server, ..Self::at(backend, address.map(SecretString::from), patterns).await }
    }

    /// With the carrier at an address, or in process.
    pub(crate) async fn at(backend: Backend, address: Option<SecretString>, patterns: Vec<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::sqlite(folder.path());
        settings.max_connections = 12;
        if backend == Backend::Postgres {
            let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
            settings.url = Some(url.to_string().into());
        }
        let databases = Databases::open(&settings).await.unwrap();
        let mut stores = Vec::new();
        for domain in ["shop", "mail"] {
            databases.migrate(&schema(domain)).await.unwrap();
            stores.push(databases.store(&schema(domain)).await.unwrap());
        }
        let (namespace, consumers) = (format!("test-{}", Uuid::now_v7().simple()), [("mail", parsed(&patterns))]);
        let carrier: Arc<dyn Carrier> = match &address {
            None => Arc::new(InProcess::new(consumers)),
            Some(address) => weft_events::connect(address, &namespace, consumers).unwrap(),
        };
        let (mail, shop) = (stores.pop().unwrap(), stores.pop().unwrap());
        let (clock, metrics, trouble) = (Clock::system(), Metrics::new(), Arc::default());
        Self { shop, mail, carrier, clock, metrics, trouble, patterns, address, namespace, _server: None, _folder: folder }
    }

    /// Starts a relay for `shop`, as one process would.
    pub(crate) fn relay(&self) -> Worker {
        let relay = self.relay_by(&self.carrier);
        Worker::start(|stop| relay.run(stop))
    }

    fn relay_by(&self, carrier: &Arc<dyn Carrier>) -> Relay {
        Relay::new(self.shop.clone(), Arc::clone(carrier), self.clock.clone(), LEASE, self.metrics.clone())
    }

    /// Starts a consumer for `mail`, as one process would.
    pub(crate) fn consumer(&self) -> Worker {
        let consumer = self.consumer_by(&self.carrier);
        Worker::start(|stop| consumer.run(stop))
    }

    fn consumer_by(&self, carrier: &Arc<dyn Carrier>) -> Consumer {
        let handlers = parsed(&self.patterns).into_iter();
        let handlers = handlers.map(|pattern| Handler { pattern, handle: handle(&self.trouble) }).collect();
        let (store, carrier, metrics) = (self.mail.clone(), Arc::clone(carrier), self.metrics.clone());
        let sources = vec!["shop".to_owned()];
        Consumer::new(store, carrier, self.clock.clone(), LEASE, handlers, sources, metrics)
    }

    /// A replica whose events do not leave it.
    pub(crate) fn replica(&self) -> Replica<'_> {
        let carrier: Arc<dyn Carrier> = Arc::new(InProcess::new([("mail", parsed(&self.patterns))]));
        assert!(carrier.is_in_process());
        Replica { house: self, carrier, together: Together::new(self.mail.clone()) }
    }

    /// Publishes steps of one thing, a transaction each.
    pub(crate) async fn publish(&self, tenant: TenantId, what: &str, steps: std::ops::Range<i64>) {
        for step in steps {
            let event = Stepped { what: what.to_owned(), step };
            self.shop.transact(&call(tenant), async |tx: Tx| Ok(tx.publish(&event).await?)).await.unwrap();
        }
    }

    /// Waits until the carrier has all that was published.
    pub(crate) async fn settled(&self) {
        let sent = async || weft_events::log::backlog(&self.shop, &system()).await.unwrap().count == 0;
        until("all is sent", sent).await;
    }

    /// The steps of each thing whose effects are there, in the order in which they came.
    pub(crate) async fn effects(&self, tenant: TenantId) -> BTreeMap<String, Vec<i64>> {
        let list = async |read: Read| Ok(read.run(&LIST_EFFECTS).fetch_all::<(String, i64)>().await?);
        let mut effects: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (what, step) in self.mail.read(&call(tenant), list).await.unwrap() {
            effects.entry(what).or_default().push(step);
        }
        effects
    }

    /// Waits until so many effects are there.
    pub(crate) async fn wait_for(&self, tenant: TenantId, count: usize) -> BTreeMap<String, Vec<i64>> {
        let waiting = async {
            loop {
                let effects = self.effects(tenant).await;
                if effects.values().map(Vec::len).sum::<usize>() >= count {
                    return effects;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let Ok(effects) = tokio::time::timeout(LIMIT, waiting).await else {
            panic!("{count} effects are awaited; there are {:?}", self.effects(tenant).await);
        };
        effects
    }
}

/// One of several processes with the same domains, whose events do not leave it.
pub(crate) struct Replica<'a> {
    house: &'a House,
    carrier: Arc<dyn Carrier>,
    together: Together,
}

impl Replica<'_> {
    pub(crate) fn relay(&self) -> Worker {
        let relay = self.house.relay_by(&self.carrier).together(self.together.clone());
        Worker::start(|stop| relay.run(stop))
    }

    pub(crate) fn consumer(&self) -> Worker {
        let consumer = self.house.consumer_by(&self.carrier).together(self.together.clone());
        Worker::start(|stop| consumer.run(stop))
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{what}");
}

pub(crate) fn parsed(patterns: &[&str]) -> Vec<TopicPattern> {
    patterns.iter().map(|pattern| TopicPattern::parse(pattern).unwrap()).collect()
}

/// Leaves an effect, unless there is trouble.
fn handle(trouble: &Arc<Trouble>) -> Handle {
    let trouble = Arc::clone(trouble);
    Arc::new(move |call, tx, event| {
        let trouble = Arc::clone(&trouble);
        Box::pin(async move {
            assert!(matches!(call.principal(), Principal::Job { domain: "mail", .. }));
            assert_eq!((call.causation(), call.scope()), (Some(event.id), Scope::Tenant(event.tenant)));
            assert_eq!((call.trace(), call.request_id()), (&event.trace, &event.request_id));
            let step = if event.topic == "events.thing.stepped" { event.message::<Stepped>().unwrap().step } else { -1 };
            tx.run(&ADD_EFFECT).bind(&event.key).bind(step).execute().await?;
            if trouble.hangs.load(Ordering::SeqCst) {
                trouble.hung.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            let Some(reason) = trouble.of(&event.key) else { return Ok(()) };
            trouble.failures.fetch_add(1, Ordering::SeqCst);
            assert!(!trouble.panics.load(Ordering::SeqCst), "a handler of a test panics, as it was told to");
            Err(Error::new(reason, "a test wants it so"))
        })
    })
}

/// A relay or consumer that runs.
pub(crate) struct Worker {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Worker {
    fn start<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(run(stop.clone())), stop }
    }

    /// Ends it in order.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends it as a crash does: nothing is given back.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub(crate) fn tenant() -> TenantId {
    TenantId(Uuid::now_v7())
}

pub(crate) fn call(tenant: TenantId) -> Call {
    in_scope(Scope::Tenant(tenant))
}

pub(crate) fn system() -> Call {
    in_scope(Scope::System("a test looks at all tenants"))
}

fn in_scope(scope: Scope) -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = scope;
    parts.build()
}

/// Steps from 0 on.
pub(crate) fn steps(count: i64) -> Vec<i64> {
    (0..count).collect()
}
