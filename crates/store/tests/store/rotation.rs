//! The password of the database is replaced while calls are under way.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection};
use tokio::{task::JoinSet, time::sleep};
use url::Url;
use uuid::Uuid;
use weft_store::{Databases, Settings, Store, StoreError};
use weft_test_postgres::Guarded;

use crate::support::{COUNT_ALL_THINGS, execute, insert, keyed, schema, secret, system, tenant, thing};

/// Long enough for every task to meet the change.
const PHASE: Duration = Duration::from_millis(700);

struct Rotating {
    server: Guarded,
    settings: Settings,
    databases: Databases,
    store: Store,
}

fn address(server: &Guarded, password: &str) -> SecretString {
    let mut url = server.url().clone();
    url.set_username("app").unwrap();
    url.set_password(Some(password)).unwrap();
    secret(&url)
}

impl Rotating {
    async fn new() -> Self {
        let server = Guarded::start(None).unwrap_or_else(|error| panic!("{error}"));
        execute(server.url(), "CREATE ROLE app LOGIN PASSWORD 'first'").await;
        let mut settings = Settings::postgres(address(&server, "first"));
        settings.migration_url = Some(secret(server.url()));
        settings.max_connections = 6;
        let databases = Databases::open(&settings).await.unwrap();
        databases.migrate(&schema()).await.unwrap();
        let store = databases.store(&schema()).await.unwrap();
        Self { server, settings, databases, store }
    }

    async fn alter(&self, password: &str) {
        execute(self.server.url(), &format!("ALTER ROLE app PASSWORD '{password}'")).await;
    }

    /// Ends every connection of the service, whatever it is doing.
    async fn terminate(&self) {
        execute(self.server.url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'").await;
    }

    fn rotate(&self, password: &str) {
        self.databases.rotate_login(&address(&self.server, password)).unwrap();
    }
}

/// Keyed writes and reads by eight tasks, until it is stopped.
struct Load {
    tasks: JoinSet<()>,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Load {
    fn start(store: &Store) -> Self {
        let mut load = Self { tasks: JoinSet::new(), stop: Arc::default(), written: Arc::default(), failures: Arc::default() };
        for _ in 0..8 {
            let (store, stop, written, failures) =
                (store.clone(), Arc::clone(&load.stop), Arc::clone(&load.written), Arc::clone(&load.failures));
            load.tasks.spawn(async move {
                let tenant = tenant();
                while !stop.load(Ordering::Relaxed) {
                    let name = Uuid::now_v7().to_string();
                    let call = keyed(tenant, &name, &name);
                    let thing = thing(&name);
                    let write = store.write(&call, async |tx| Ok(insert(&tx, &thing).await?)).await;
                    written.fetch_add(u64::from(write.is_ok()), Ordering::Relaxed);
                    let read =
                        store.read(&system(), async |read| Ok(read.run(&COUNT_ALL_THINGS).fetch_value::<i64>().await?)).await;
                    let failed = [write.err(), read.err()].into_iter().flatten();
                    failures.lock().unwrap().extend(failed.map(|error| format!("{error:?}")));
                }
            });
        }
        load
    }

    async fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        (self.written.load(Ordering::Relaxed), std::mem::take(&mut self.failures.lock().unwrap()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_work_fails_while_the_password_is_replaced_in_either_order_and_connections_are_ended() {
    let rotating = Rotating::new().await;
    let load = Load::start(&rotating.store);
    sleep(PHASE).await;
    // The server first: what is configured is refused for a while, and no connection is left.
    rotating.alter("second").await;
    rotating.terminate().await;
    sleep(PHASE).await;
    rotating.rotate("second");
    sleep(PHASE).await;
    // The configuration first: the server takes the login before it for a while.
    rotating.rotate("third");
    rotating.terminate().await;
    sleep(PHASE).await;
    rotating.alter("third").await;
    rotating.terminate().await;
    sleep(PHASE).await;
    let (written, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {written}: {:?}", failures.len(), failures.first());
    assert!(written > 100, "{written} writes are no load");
    let kept =
        rotating.store.read(&system(), async |read| Ok(read.run(&COUNT_ALL_THINGS).fetch_value::<i64>().await?)).await.unwrap();
    assert_eq!(u64::try_from(kept).unwrap(), written, "each write has its effect once");
    let old = address(&rotating.server, "second");
    assert!(PgConnection::connect(old.expose_secret()).await.is_err(), "the server asks for the password");
}

#[tokio::test]
async fn a_password_that_nobody_takes_fails_in_time_and_is_shown_nowhere() {
    let mut rotating = Rotating::new().await;
    rotating.settings.acquire_timeout = Duration::from_millis(300);
    let databases = Databases::open(&rotating.settings).await.unwrap();
    databases.rotate_login(&address(&rotating.server, "hunter2")).unwrap();
    rotating.alter("other").await;
    let refused = databases.store(&schema()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable { .. }), "{refused:?}");
    let shown = format!("{refused} {refused:?} {databases:?} {:?}", rotating.store);
    assert!(!shown.contains("hunter2") && !shown.contains("first") && !shown.contains("superuser"), "{shown}");
}

#[tokio::test]
async fn a_login_to_another_database_is_refused() {
    let rotating = Rotating::new().await;
    let elsewhere = Url::parse("postgres://app:hunter2@127.0.0.1:1/other").unwrap();
    let refused = rotating.databases.rotate_login(&secret(&elsewhere)).unwrap_err();
    assert!(refused.to_string().contains("127.0.0.1:1/other") && !refused.to_string().contains("hunter2"), "{refused}");
}
