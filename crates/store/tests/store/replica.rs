//! A replica answers, unless its caller would miss something there.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use url::Url;
use weft_call::{BoxFuture, Call, Principal, Scope, TenantId};
use weft_store::{
    Databases, LogPosition, Read, Settings, Store, StoreError, Tx,
    replica::{Noted, NotesUnavailable, ReplicaSettings, ReplicaState, WriteNotes, Writer, look},
};
use weft_telemetry::{Metrics, ReplicaRead};
use weft_test_postgres::{Guarded, Standby};

use crate::support::{BROWSE, CREATE, LIST, LIST_NAMES, call_with, execute, insert, keyed_with, schema, secret, tenant, thing};

/// Longer than any of these tests takes.
const MAX_LAG: Duration = Duration::from_mins(10);

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// The memory that processes share, which can be lost for a while or for good.
#[derive(Debug, Default)]
struct Notes {
    own: Mutex<HashMap<Writer, LogPosition>>,
    base: Mutex<HashMap<&'static str, LogPosition>>,
    is_lost: AtomicBool,
}

impl Notes {
    fn forget(&self) {
        self.own.lock().unwrap().clear();
        self.base.lock().unwrap().clear();
    }

    fn lose(&self, is_lost: bool) {
        self.is_lost.store(is_lost, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), NotesUnavailable> {
        if self.is_lost.load(Ordering::Relaxed) { Err(NotesUnavailable("it is lost".into())) } else { Ok(()) }
    }
}

impl WriteNotes for Notes {
    fn find<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Noted, NotesUnavailable>> {
        Box::pin(async move {
            self.check()?;
            let own = self.own.lock().unwrap().get(writer).copied();
            Ok(Noted { own, base: self.base.lock().unwrap().get(writer.domain).copied() })
        })
    }

    fn note<'a>(&'a self, writer: &'a Writer, at: LogPosition, _: Duration) -> BoxFuture<'a, Result<(), NotesUnavailable>> {
        Box::pin(async move {
            self.check()?;
            let mut own = self.own.lock().unwrap();
            let noted = own.entry(writer.clone()).or_default();
            *noted = at.max(*noted);
            Ok(())
        })
    }

    fn raise_base<'a>(&'a self, domain: &'static str, to: LogPosition) -> BoxFuture<'a, Result<(), NotesUnavailable>> {
        Box::pin(async move {
            self.check()?;
            let mut bases = self.base.lock().unwrap();
            let base = bases.entry(domain).or_default();
            *base = to.max(*base);
            Ok(())
        })
    }
}

/// A process that serves the domain.
struct Process {
    store: Store,
    metrics: Metrics,
    databases: Databases,
}

/// A primary with its replica, and two processes that read from both.
struct House {
    primary: Guarded,
    standby: Standby,
    notes: Arc<Notes>,
    one: Process,
    other: Process,
    tenant: TenantId,
    _folder: TempDir,
}

fn settings(primary: &Url, standby: &Url, notes: &Arc<Notes>, max_lag: Duration) -> Settings {
    let metrics = Metrics::new();
    let notes = Arc::clone(notes) as Arc<dyn WriteNotes>;
    let replica = ReplicaSettings { url: secret(standby), max_connections: 4, max_lag, notes, metrics };
    let mut settings = Settings::postgres(login(primary));
    settings.migration_url = Some(secret(primary));
    Settings { replica: Some(ReplicaSettings { url: login(standby), ..replica }), ..settings }
}

fn login(server: &Url) -> secrecy::SecretString {
    let mut url = server.clone();
    url.set_username("app").unwrap();
    url.set_password(Some("weft")).unwrap();
    secret(&url)
}

impl Process {
    async fn open(settings: &Settings) -> Self {
        let databases = Databases::open(settings).await.unwrap();
        let store = databases.store(&schema()).await.unwrap();
        Self { store, metrics: settings.replica.as_ref().unwrap().metrics.clone(), databases }
    }

    async fn create(&self, writer: &Call, name: &str) {
        self.store.write(writer, async |tx: Tx| Ok(insert(&tx, &thing(name)).await?)).await.unwrap();
    }

    async fn names(&self, reader: &Call) -> Vec<String> {
        self.store.read(reader, async |read: Read| Ok(read.run(&LIST_NAMES).fetch_values().await?)).await.unwrap()
    }

    fn count(&self, read: ReplicaRead) -> u64 {
        self.metrics.replica_reads("things", read)
    }
}

impl House {
    async fn new() -> Self {
        Self::behind_at_most(MAX_LAG).await
    }

    async fn behind_at_most(max_lag: Duration) -> Self {
        let primary = Guarded::start(None).unwrap_or_else(|error| panic!("{error}"));
        execute(primary.url(), "CREATE ROLE app LOGIN PASSWORD 'weft'").await;
        let folder = tempfile::tempdir().unwrap();
        let migrating = Settings { migration_url: Some(secret(primary.url())), ..Settings::postgres(login(primary.url())) };
        Databases::open(&migrating).await.unwrap().migrate(&schema()).await.unwrap();
        let standby = Standby::follow(&primary).unwrap_or_else(|error| panic!("{error}"));
        let notes = Arc::<Notes>::default();
        let open = async || Process::open(&settings(primary.url(), standby.url(), &notes, max_lag)).await;
        let (one, other) = (open().await, open().await);
        let house = Self { notes: Arc::clone(&notes), one, other, tenant: tenant(), primary, standby, _folder: folder };
        // The first read finds no base and sets it.
        house.one.names(&house.browse("nobody")).await;
        house.until(async || house.reads_on_replica(&house.one).await && house.reads_on_replica(&house.other).await).await;
        house
    }

    fn settings(&self) -> Settings {
        settings(self.primary.url(), self.standby.url(), &self.notes, MAX_LAG)
    }

    /// True once a stranger's read comes from the replica.
    async fn reads_on_replica(&self, process: &Process) -> bool {
        let before = process.count(ReplicaRead::Replica);
        process.names(&self.browse("nobody")).await;
        process.count(ReplicaRead::Replica) > before
    }

    /// What somebody reads when the read is answered so: a busy machine may let the replica be late now and then.
    async fn names_by(&self, process: &Process, who: &str, read: ReplicaRead) -> Vec<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let before = process.count(read);
            let names = process.names(&self.browse(who)).await;
            if process.count(read) > before {
                return names;
            }
            assert!(Instant::now() < end, "no read of {who} is answered by {read:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until<F: Future<Output = bool>>(&self, is_so: impl Fn() -> F) {
        let end = Instant::now() + PATIENCE;
        while !is_so().await {
            assert!(Instant::now() < end, "it has not come about");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn pause(&self) {
        // What it has got by now is replayed before it pauses, and nothing else is under way.
        self.standby.execute("SELECT pg_wal_replay_pause()").await.unwrap();
        self.until(async || {
            let text = "DO $$ BEGIN ASSERT pg_get_wal_replay_pause_state() = 'paused'; END $$";
            self.standby.execute(text).await.is_ok()
        })
        .await;
    }

    async fn resume(&self) {
        self.standby.execute("SELECT pg_wal_replay_resume()").await.unwrap();
    }

    fn create(&self, who: &str) -> Call {
        keyed_with(self.tenant, &format!("key-{}", uuid::Uuid::now_v7()), who, |parts| {
            parts.method = Some(&CREATE);
            parts.principal = Principal::Workload(who.into());
        })
    }

    fn browse(&self, who: &str) -> Call {
        call_with(|parts| {
            parts.scope = Scope::Tenant(self.tenant);
            parts.method = Some(&BROWSE);
            parts.principal = Principal::Workload(who.into());
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wrote_sees_it_in_every_process_while_another_may_see_the_old() {
    let house = House::new().await;
    house.pause().await;
    house.one.create(&house.create("ada"), "new").await;
    for process in [&house.one, &house.other] {
        assert_eq!(house.names_by(process, "ada", ReplicaRead::Behind).await, ["new"], "the writer reads its own write");
        let others = house.names_by(process, "grace", ReplicaRead::Replica).await;
        assert_eq!(others, Vec::<String>::new(), "another reads what the replica has");
        // A method that does not say so is never answered by a replica.
        let list = call_with(|parts| {
            (parts.scope, parts.method) = (Scope::Tenant(house.tenant), Some(&LIST));
        });
        assert_eq!(process.names(&list).await, ["new"]);
    }
    house.resume().await;
    house.until(async || house.names_by(&house.one, "grace", ReplicaRead::Replica).await == ["new"]).await;
    for who in ["ada", "grace"] {
        assert_eq!(house.names_by(&house.other, who, ReplicaRead::Replica).await, ["new"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_repeated_counts_as_a_write() {
    let house = House::new().await;
    house.pause().await;
    let call = house.create("ada");
    house.one.create(&call, "new").await;
    // The process that wrote ended before it had noted that.
    house.notes.own.lock().unwrap().clear();
    let again = keyed_with(house.tenant, call.idempotency_key().unwrap().as_str(), "ada", |parts| {
        parts.method = Some(&CREATE);
        parts.principal = Principal::Workload("ada".into());
    });
    house.other.create(&again, "new").await;
    assert_eq!(house.other.names(&house.browse("ada")).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_that_are_lost_send_readers_to_the_primary() {
    let house = House::new().await;
    house.pause().await;
    house.one.create(&house.create("ada"), "new").await;
    // The memory answers nobody.
    house.notes.lose(true);
    assert_eq!(house.other.names(&house.browse("grace")).await, ["new"], "from the primary");
    assert!(house.other.count(ReplicaRead::Unknown) >= 1);
    house.notes.lose(false);
    // It has forgotten everything: ada's write too.
    house.notes.forget();
    for process in [&house.other, &house.one] {
        assert_eq!(process.names(&house.browse("ada")).await, ["new"]);
    }
    // What was forgotten lies before the base that was set.
    assert_eq!(house.other.names(&house.browse("ada")).await, ["new"]);
    house.resume().await;
    house.until(async || house.reads_on_replica(&house.other).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_could_not_be_noted_is_made_good_by_its_process() {
    let house = House::new().await;
    house.pause().await;
    house.notes.lose(true);
    house.one.create(&house.create("ada"), "new").await;
    assert_eq!(house.one.names(&house.browse("ada")).await, ["new"]);
    house.notes.lose(false);
    assert_eq!(house.one.names(&house.browse("ada")).await, ["new"], "it raises the base first");
    assert_eq!(house.other.names(&house.browse("ada")).await, ["new"], "which holds for all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_without_the_replica_and_come_back_to_it() {
    let house = House::new().await;
    house.one.create(&house.create("ada"), "new").await;
    house.standby.stop().unwrap();
    for _ in 0..10 {
        assert_eq!(house.one.names(&house.browse("grace")).await, ["new"]);
    }
    assert!(house.one.count(ReplicaRead::Down) >= 10);
    let is_down = |line: &str| line.starts_with("weft_replica_up{") && line.ends_with(" 0");
    house.until(async || house.one.metrics.render().lines().any(is_down)).await;
    // A process starts without it as well.
    let third = Process::open(&house.settings()).await;
    assert_eq!(third.names(&house.browse("grace")).await, ["new"]);
    house.standby.start().unwrap();
    house.until(async || house.reads_on_replica(&house.one).await && house.reads_on_replica(&third).await).await;
    assert_eq!(house.one.names(&house.browse("ada")).await, ["new"]);
    third.databases.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_too_far_behind_answers_nobody() {
    let house = House::behind_at_most(Duration::from_secs(2)).await;
    house.pause().await;
    house.one.create(&house.create("ada"), "new").await;
    // Sooner or later even those who wrote nothing read it, and from then on always.
    assert_eq!(house.names_by(&house.one, "grace", ReplicaRead::Behind).await, ["new"]);
    for _ in 0..5 {
        assert_eq!(house.one.names(&house.browse("grace")).await, ["new"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_promoted_answers_nobody() {
    let house = House::new().await;
    house.standby.promote().unwrap();
    execute(house.standby.url(), "DELETE FROM weft_things.things").await;
    house.one.create(&house.create("ada"), "new").await;
    let before = house.one.count(ReplicaRead::Replica);
    for who in ["ada", "grace"] {
        assert_eq!(house.one.names(&house.browse(who)).await, ["new"]);
    }
    assert_eq!(house.one.count(ReplicaRead::Replica), before);
    let (settings, promoted) = (house.settings(), secret(house.standby.url()));
    assert_eq!(look(&settings, &promoted).await.unwrap(), ReplicaState::NotAReplica);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replica_of_another_server_answers_nobody() {
    let house = House::new().await;
    let other = Guarded::start(None).unwrap_or_else(|error| panic!("{error}"));
    execute(other.url(), "CREATE ROLE app LOGIN PASSWORD 'weft'").await;
    let foreign = Standby::follow(&other).unwrap_or_else(|error| panic!("{error}"));
    let settings = settings(house.primary.url(), foreign.url(), &house.notes, MAX_LAG);
    let process = Process::open(&settings).await;
    house.one.create(&house.create("ada"), "new").await;
    assert_eq!(process.names(&house.browse("grace")).await, ["new"]);
    assert_eq!(process.count(ReplicaRead::Replica), 0);
    assert_eq!(look(&settings, &secret(foreign.url())).await.unwrap(), ReplicaState::Foreign);
    let ours = look(&settings, &secret(house.standby.url())).await.unwrap();
    assert!(matches!(ours, ReplicaState::Follows { .. }), "{ours:?}");
}

#[tokio::test]
async fn a_replica_of_sqlite_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let somewhere = Url::parse("postgres://app@127.0.0.1:1/weft").unwrap();
    let settings =
        Settings { url: None, data_dir: folder.path().to_owned(), ..settings(&somewhere, &somewhere, &Arc::default(), MAX_LAG) };
    let refused = Databases::open(&settings).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReplicaWithoutServer), "{refused:?}");
    assert!(refused.to_string().contains("database.replica_url"), "{refused}");
}
