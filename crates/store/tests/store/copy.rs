//! From SQLite files to PostgreSQL: all rows, the same, or none.

use std::path::Path;

use chrono::{TimeZone, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, raw_sql};
use url::Url;
use uuid::Uuid;
use weft_call::TenantId;
use weft_store::{
    Databases, DomainSchema, Json, Read, Settings, Tx,
    copy::{Copied, CopyError, copy},
};

use crate::support::{
    Backend, Bench, COUNT_ALL_THINGS, GET_THING, INSERT_ACCOUNT, INSERT_NOTE, Thing, call, insert, names_in, schema, secret,
    system, tenant, thing,
};

/// A bench of files, and an empty database.
async fn benches() -> (Bench, Settings, Url) {
    let files = Bench::new(Backend::Sqlite).await;
    let admin = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
    (files, Settings::postgres(secret(&admin)), admin)
}

async fn run(files: &Bench, target: &Settings) -> Result<Vec<Copied>, CopyError> {
    files.databases.close().await;
    copy(files.folder.path(), target, &[&schema()]).await
}

/// Runs SQL of a test's own making in a file.
async fn in_file(folder: &Path, text: &str) {
    let url = format!("sqlite://{}", folder.join("things.db").display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn count(url: &Url, table: &str) -> i64 {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    let text = format!("SELECT count(*) FROM weft_things.{table}");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap()
}

/// Things whose values are unlike each other, and more of them than go at once.
async fn fill(files: &Bench) -> (TenantId, Vec<Thing>) {
    let tenant = tenant();
    let mut things = vec![thing("plain"), thing(""), thing("Ä ‘quoted’ \"name\" 🫖"), thing("a"), thing("B")];
    things[0].gone_at = Utc.timestamp_micros(1_766_000_000_123_456).single();
    things[1].payload = Vec::new();
    things[2].payload = vec![7; 3_000_000];
    things[3].payload = vec![8; 3_000_000];
    things[3].meta = Json(Vec::new());
    things[4].quantity = i64::MAX;
    things[4].active = false;
    things[4].seen_at = Utc.timestamp_micros(-1).single().unwrap();
    things.extend((0..1200).map(|number| thing(&format!("thing {number}"))));
    let written = &things;
    let write = async |tx: Tx| {
        for thing in written {
            insert(&tx, thing).await?;
            tx.run(&INSERT_NOTE).bind(Uuid::now_v7()).bind(thing.id).execute().await?;
        }
        Ok(())
    };
    files.store.transact(&call(tenant), write).await.unwrap();
    let account = async |tx: Tx| Ok(tx.run(&INSERT_ACCOUNT).bind(Uuid::now_v7()).bind("a@b.c").execute().await?);
    files.store.transact(&system(), account).await.unwrap();
    (tenant, things)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_as_it_was_and_serves_its_tenant() {
    let (files, target, admin) = benches().await;
    let (owner, things) = fill(&files).await;
    let token = files.store.page_tokens().seal(&call(owner), "things?name", &"a").unwrap();
    let copied = run(&files, &target).await.unwrap();
    let rows = |table: &str| copied.iter().find(|copied| copied.table == table).map(|copied| copied.rows);
    assert_eq!((rows("things"), rows("notes"), rows("accounts")), (Some(1205), Some(1205), Some(1)));
    assert_eq!((rows("weft_secret"), rows("weft_outbox"), rows("weft_migrations_things")), (Some(1), Some(0), None));

    let databases = Databases::open(&target).await.unwrap();
    let store = databases.store(&schema()).await.unwrap();
    let found = async |read: Read| {
        let mut found = Vec::new();
        for thing in &things[..5] {
            found.push(read.run(&GET_THING).bind(thing.id).fetch_one::<Thing>().await?);
        }
        Ok(found)
    };
    assert_eq!(store.read(&call(owner), found).await.unwrap(), things[..5]);
    assert_eq!(names_in(&store, owner).await.len(), 1205);
    assert_eq!(names_in(&store, tenant()).await, [""; 0], "row-level security stands");
    let all = async |read: Read| Ok(read.run(&COUNT_ALL_THINGS).fetch_value::<i64>().await?);
    assert_eq!(store.read(&system(), all).await.unwrap(), 1205);
    assert_eq!(store.page_tokens().open::<String>(&call(owner), "things?name", &token).unwrap().as_deref(), Some("a"));
    // The references are back.
    let orphan = async |tx: Tx| Ok(tx.run(&INSERT_NOTE).bind(Uuid::now_v7()).bind(Uuid::now_v7()).execute().await?);
    assert!(store.transact(&call(owner), orphan).await.is_err());
    assert_eq!(count(&admin, "notes").await, 1205);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_with_rows_and_a_file_in_use_are_refused() {
    let (files, target, admin) = benches().await;
    fill(&files).await;
    let in_use = copy(files.folder.path(), &target, &[&schema()]).await;
    assert!(matches!(in_use, Err(CopyError::InUse(_))), "{in_use:?}");
    run(&files, &target).await.unwrap();
    let again = run(&files, &target).await;
    assert!(matches!(&again, Err(CopyError::NotEmpty { domain: "things", .. })), "{again:?}");
    assert_eq!(count(&admin, "things").await, 1205);

    let (files, target, _admin) = benches().await;
    Databases::open(&target).await.unwrap().migrate(&schema()).await.unwrap();
    run(&files, &target).await.expect("a database that was only migrated is empty");
    let nowhere = copy(files.folder.path(), &Settings::sqlite("elsewhere"), &[&schema()]).await;
    assert!(matches!(nowhere, Err(CopyError::NotPostgres)), "{nowhere:?}");
    let missing = copy(&files.folder.path().join("elsewhere"), &target, &[&schema()]).await;
    assert!(matches!(missing, Err(CopyError::Missing(_))), "{missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_row_that_cannot_be_taken_leaves_all_of_them_where_they_are() {
    for (damage, told) in [
        ("UPDATE things SET name = 'a' || char(0) WHERE name = 'plain'", "has a text with a NUL"),
        ("PRAGMA foreign_keys = OFF; UPDATE things SET id = 'no id' WHERE name = 'plain'", "of things of things cannot be read"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM things WHERE name = 'plain'", "could not put back a reference"),
        ("UPDATE things SET meta = '[\"\\u0000\"]' WHERE name = 'plain'", "could not insert into things of things"),
        ("ALTER TABLE things ADD COLUMN extra TEXT", "things.extra of things has no place"),
        ("CREATE TABLE extra (id UUID)", "extra of things has no place"),
        ("DELETE FROM weft_migrations_things WHERE version = 3", "has migrations to apply first: things/0003_accounts"),
    ] {
        let (files, target, admin) = benches().await;
        fill(&files).await;
        files.databases.close().await;
        in_file(files.folder.path(), damage).await;
        let refused = run(&files, &target).await.unwrap_err();
        assert!(refused.to_string().contains(told), "{damage}: {refused}: {refused:?}");
        let is_migrated = Databases::open(&target).await.unwrap().pending(&schema()).await.unwrap().is_empty();
        assert!(!is_migrated || count(&admin, "things").await == 0, "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_server_changes_on_the_way_is_noticed() {
    let (files, target, admin) = benches().await;
    fill(&files).await;
    Databases::open(&target).await.unwrap().migrate(&schema()).await.unwrap();
    let trigger = "CREATE FUNCTION public.twist() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN IF NEW.name = 'thing 700' THEN NEW.quantity := NEW.quantity + 1; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER twist BEFORE INSERT ON weft_things.things FOR EACH ROW EXECUTE FUNCTION public.twist()";
    crate::support::execute(&admin, trigger).await;
    let refused = run(&files, &target).await;
    assert!(matches!(&refused, Err(CopyError::Differs { domain: "things", table, .. }) if table == "things"), "{refused:?}");
    assert_eq!(count(&admin, "things").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_wait_come_before_those_that_the_server_publishes() {
    let (files, target, admin) = benches().await;
    // As many transactions as no new server has made.
    let event = |number: i64, position: &str| {
        format!(
            "INSERT INTO weft_outbox (tenant_id, id, topic, event_key, message, data, created_at, request_id, traceparent, \
             tracestate, transaction_id, ordinal, position) VALUES (randomblob(16), randomblob(16), 't', 'k', 'm', x'00', \
             '2026-01-01T00:00:00+00:00', 'r', '', '', {number}, 0, {position})"
        )
    };
    files.databases.close().await;
    for (number, position) in [(7_000_000_000, "NULL"), (7_000_000_001, "NULL"), (3, "1")] {
        in_file(files.folder.path(), &event(number, position)).await;
    }
    run(&files, &target).await.unwrap();
    let mut connection = PgConnection::connect(admin.as_str()).await.unwrap();
    let text = "SELECT transaction_id, position FROM weft_things.weft_outbox ORDER BY transaction_id";
    let found: Vec<(i64, Option<i64>)> = sqlx::query_as(text).fetch_all(&mut connection).await.unwrap();
    let [(first, None), (second, None), (3, Some(1))] = found.as_slice() else { panic!("{found:?}") };
    assert!(*first < 0 && *second == first + 1, "{found:?}");
    let unused = DomainSchema::new("unused");
    assert!(matches!(copy(files.folder.path(), &target, &[&unused]).await, Err(CopyError::Missing(_))));
}
