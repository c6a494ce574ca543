//! What opening a database says, and what it sets.

use std::{error::Error, time::Duration};

use sqlx::{Connection, SqliteConnection};
use weft_store::{Databases, DomainSchema, Read, Settings, Store, StoreError, Tx};

use crate::support::{Backend, Bench, call, on_both, schema, system, tenant};

/// Everything that a log could show of an error.
fn all_of(error: &StoreError) -> String {
    let causes = std::iter::successors(Some(error as &dyn Error), |&error| error.source());
    causes.map(|cause| format!("{cause:?} {cause}")).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let settings = Settings::postgres("postgres://ann:hunter2@127.0.0.1:1/weft".to_owned().into());
    assert!(!format!("{settings:?}").contains("hunter2"));
    let error = Databases::open(&settings).await.unwrap_err();
    assert_eq!(error.to_string(), "the database 127.0.0.1:1/weft cannot be reached");
    assert!(!all_of(&error).contains("hunter2"), "{}", all_of(&error));
    let outside = weft_call::Error::from(error);
    assert_eq!(outside.reason(), Some(weft_call::MeshReason::StoreUnavailable));
    assert!(!outside.message().contains("127.0.0.1"), "{}", outside.message());
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_given_up_in_time() {
    // Accepts connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = Settings::postgres(format!("postgres://ann:hunter2@{}/weft", silent.local_addr().unwrap()).into());
    settings.acquire_timeout = Duration::from_millis(50);
    let error = Databases::open(&settings).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_refused_without_being_repeated() {
    for url in ["", "weft", "mysql://ann:hunter2@host/db", "postgres://ann:hunter2@host:port/db", "postgres://ann:hunter2@[::/db"]
    {
        let error = Databases::open(&Settings::postgres(url.to_owned().into())).await.unwrap_err();
        assert!(matches!(error, StoreError::UrlInvalid { setting: "url" }), "{error:?}");
        assert!(!all_of(&error).contains("hunter2"), "{}", all_of(&error));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Databases::open(&Settings::sqlite(file.join("data"))).await.unwrap_err();
    assert!(matches!(error, StoreError::FolderUnusable { .. }) && error.to_string().contains("file/data"), "{error}");
}

#[tokio::test]
async fn a_sqlite_file_is_durable_and_checks_its_references() {
    weft_store::statements! {
        system JOURNAL = "SELECT journal_mode FROM pragma_journal_mode";
        system SYNCHRONOUS = "SELECT synchronous FROM pragma_synchronous";
        system FOREIGN_KEYS = "SELECT foreign_keys FROM pragma_foreign_keys";
        system QUERY_ONLY = "SELECT query_only FROM pragma_query_only";
    }
    let folder = tempfile::tempdir().unwrap();
    let databases = Databases::open(&Settings::sqlite(folder.path().join("new/data"))).await.unwrap();
    let schema = DomainSchema::new("pragmas").statements(STATEMENTS);
    databases.migrate(&schema).await.unwrap();
    let store = databases.store(&schema).await.unwrap();
    let pragmas = async |tx: Tx| {
        let journal: String = tx.run(&JOURNAL).fetch_value().await?;
        let synchronous: i64 = tx.run(&SYNCHRONOUS).fetch_value().await?;
        let foreign_keys: i64 = tx.run(&FOREIGN_KEYS).fetch_value().await?;
        Ok((journal, synchronous, foreign_keys, tx.run(&QUERY_ONLY).fetch_value::<i64>().await?))
    };
    // 2 is FULL.
    assert_eq!(store.transact(&system(), pragmas).await.unwrap(), ("wal".to_owned(), 2, 1, 0));
    let query_only = async |read: Read| Ok(read.run(&QUERY_ONLY).fetch_value::<i64>().await?);
    assert_eq!(store.read(&system(), query_only).await.unwrap(), 1);
    // As any other process would open it.
    let file = folder.path().join("new/data/pragmas.db");
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut other).await.unwrap();
    assert_eq!(mode, "wal");
}

on_both! {
    async fn a_page_token_of_one_replica_opens_on_another_and_in_no_other_domain(bench) {
        let call = call(tenant());
        let token = bench.store.page_tokens().seal(&call, "things?name", &"a").unwrap();
        let replica: Store = Databases::open(&bench.settings).await.unwrap().store(&schema()).await.unwrap();
        assert_eq!(replica.page_tokens().open::<String>(&call, "things?name", &token).unwrap().as_deref(), Some("a"));
        let other = DomainSchema::new("others");
        bench.databases.migrate(&other).await.unwrap();
        let other = bench.databases.store(&other).await.unwrap();
        assert!(other.page_tokens().open::<String>(&call, "things?name", &token).is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn domains_share_the_connections_of_the_process_and_no_prepared_statement() {
    // The same text in two domains means two tables, whose columns differ.
    weft_store::statements! {
        GET = "SELECT value FROM settings WHERE tenant_id = $1";
    }
    let bench = Bench::with(Backend::Postgres, |settings| settings.max_connections = 1).await;
    let admin = bench.admin.as_ref().unwrap();
    let tenant = tenant();
    for (domain, column, value) in [("reds", "TEXT", "'red'"), ("blues", "BIGINT", "7")] {
        let schema = DomainSchema::new(domain).statements(STATEMENTS);
        bench.databases.migrate(&schema).await.unwrap();
        let table = format!(
            "CREATE TABLE weft_{domain}.settings (tenant_id UUID NOT NULL, value {column}); \
             INSERT INTO weft_{domain}.settings VALUES ('{tenant}', {value}); ALTER TABLE weft_{domain}.settings OWNER TO weft_{domain}_owner"
        );
        crate::support::execute(admin, &table).await;
        bench.databases.migrate(&schema).await.unwrap();
    }
    let red = bench.databases.store(&DomainSchema::new("reds").statements(STATEMENTS)).await.unwrap();
    let blue = bench.databases.store(&DomainSchema::new("blues").statements(STATEMENTS)).await.unwrap();
    for _ in 0..2 {
        let text = async |read: Read| Ok(read.run(&GET).fetch_value::<String>().await?);
        assert_eq!(red.read(&call(tenant), text).await.unwrap(), "red");
        let number = async |read: Read| Ok(read.run(&GET).fetch_value::<i64>().await?);
        assert_eq!(blue.read(&call(tenant), number).await.unwrap(), 7);
    }
}
