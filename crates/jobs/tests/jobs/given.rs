//! A domain with a job, in several replicas of one test process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::{sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use weft_call::{Call, CallBuilder, Clock, Scope};
use weft_jobs::{Job, Run, Schedule};
use weft_store::{Databases, DomainSchema, Migrations, Read, Settings, Store, Tx, sqlx, statements};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("tests/jobs/migrations");

/// Long enough for a busy machine, for what takes no time.
const LIMIT: Duration = Duration::from_mins(1);
pub(crate) const LEASE: Duration = Duration::from_secs(30);

statements! {
    system ADD_EFFECT = "INSERT INTO effects (number, run) VALUES ((SELECT count(*) FROM effects), $1)";
    system LIST_EFFECTS = "SELECT run FROM effects ORDER BY number LIMIT 1000";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Makes two tests of each behaviour.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::given::House::open($crate::given::Backend::Sqlite).await).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::given::House::open($crate::given::Backend::Postgres).await).await; })+
        }
    };
}
pub(crate) use on_both;

pub(crate) struct House {
    pub(crate) store: Store,
    /// The time on which replicas agree.
    pub(crate) clock: Clock,
    /// Replicas on that clock: each of them waits for a time, in a run as well, or is about to do something.
    living: Arc<AtomicUsize>,
    _folder: TempDir,
}

impl House {
    pub(crate) async fn open(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::sqlite(folder.path());
        if backend == Backend::Postgres {
            let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
            settings.url = Some(url.to_string().into());
        }
        let schema = DomainSchema::new("farm").part(weft_jobs::schema_part()).statements(STATEMENTS);
        let schema = schema.migrations(Migrations { shared: &MIGRATIONS, postgres: None });
        let databases = Databases::open(&settings).await.unwrap();
        databases.migrate(&schema).await.unwrap();
        let store = databases.store(&schema).await.unwrap();
        let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
        Self { store, clock, living: Arc::default(), _folder: folder }
    }

    /// A replica on the common clock.
    pub(crate) fn replica(&self, name: &'static str, schedule: Schedule) -> Replica {
        self.living.fetch_add(1, Ordering::SeqCst);
        Replica { living: Some(Arc::clone(&self.living)), ..self.replica_at(name, schedule, &self.clock) }
    }

    /// A replica on a clock of its own.
    pub(crate) fn replica_at(&self, name: &'static str, schedule: Schedule, clock: &Clock) -> Replica {
        let work = Work { gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), begun: Arc::default(), late: Arc::default() };
        let (store, own) = (self.store.clone(), work.clone());
        let run: Run = Arc::new(move |call| {
            let (store, work) = (store.clone(), own.clone());
            Box::pin(async move { work.run(&store, &call, name).await })
        });
        let job = Job::new(self.store.clone(), "feed", schedule, clock.clone(), LEASE, run);
        let stop = CancellationToken::new();
        let task = tokio::spawn(job.clone().repeat(stop.clone()));
        Replica { job, work, stop, task, living: None }
    }

    /// The runs whose effects are there.
    pub(crate) async fn effects(&self) -> Vec<String> {
        let list = async |read: Read| Ok(read.run(&LIST_EFFECTS).fetch_values().await?);
        self.store.read(&system(&self.clock), list).await.unwrap()
    }

    /// Waits until so many effects are there, and until nothing more can come.
    pub(crate) async fn settled(&self, count: usize) -> Vec<String> {
        until("effects come", async || self.effects().await.len() >= count).await;
        self.rests().await;
        self.effects().await
    }

    /// Moves the clock once all replicas wait for it.
    pub(crate) async fn pass(&self, span: Duration) {
        self.rests().await;
        self.clock.advance(span);
    }

    /// Waits until all replicas wait for a time.
    pub(crate) async fn rests(&self) {
        until("the replicas wait", async || self.clock.sleepers() == self.living.load(Ordering::SeqCst)).await;
    }
}

/// What a replica does in its runs.
#[derive(Clone)]
pub(crate) struct Work {
    /// A run takes a permit before it writes.
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) begun: Arc<AtomicUsize>,
    /// What a write under a lost lease came to.
    pub(crate) late: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Work {
    async fn run(&self, store: &Store, call: &Call, name: &str) -> weft_call::Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        // In a task of its own, which goes on when the run is dropped: as a process that hung does.
        let (gate, late, store, call, name) =
            (Arc::clone(&self.gate), Arc::clone(&self.late), store.clone(), call.clone(), name.to_owned());
        let work = tokio::spawn(async move {
            gate.acquire().await.unwrap().forget();
            let write = store.transact(&call, async |tx: Tx| Ok(tx.run(&ADD_EFFECT).bind(&name).execute().await.map(drop)?));
            let result = write.await;
            if let Err(error) = &result {
                late.lock().unwrap().push(std::error::Error::source(error).unwrap().to_string());
            }
            result
        });
        work.await.unwrap()
    }
}

pub(crate) struct Replica {
    pub(crate) job: Job,
    pub(crate) work: Work,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Where it is counted, if it is on the common clock.
    living: Option<Arc<AtomicUsize>>,
}

impl Replica {
    /// From now on its runs wait before they write.
    pub(crate) fn hang(&self) {
        self.work.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn wake(&self) {
        self.work.gate.add_permits(1);
    }

    pub(crate) async fn has_begun(&self, count: usize) {
        until("a run has begun", async || self.work.begun.load(Ordering::SeqCst) >= count).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        is_gone(self.living);
    }

    /// Ends as a process that is killed: nothing is given back.
    pub(crate) async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        is_gone(self.living);
    }
}

fn is_gone(living: Option<Arc<AtomicUsize>>) {
    living.inspect(|living| _ = living.fetch_sub(1, Ordering::SeqCst));
}

pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "{what}");
}

pub(crate) fn system(clock: &Clock) -> Call {
    let mut parts = CallBuilder::new(clock.clone());
    parts.scope = Scope::System("a test looks at all tenants");
    parts.build()
}
