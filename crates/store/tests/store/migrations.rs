//! Migrations run once, in turn, and under another role than the one that serves.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection, migrate::Migrator};
use url::Url;
use weft_store::{Databases, DomainSchema, Migrations, SchemaPart, Settings, StoreError};

use crate::support::{Backend, Empty, MIGRATIONS, STATEMENTS, empty, execute, login, schema, secret};

static CHANGED: Migrator = sqlx::migrate!("tests/store/changed");

async fn applied_once_in_turn(backend: Backend) {
    let Empty { settings, folder: _folder, .. } = empty(backend).await;
    let databases = Databases::open(&settings).await.unwrap();
    let mut all = vec!["weft/0001_store", "weft/0002_outbox", "weft/0003_fence", "things/0001_things", "things/0003_accounts"];
    if backend == Backend::Postgres {
        all.insert(4, "things/0002_things_meta");
    }
    assert_eq!(databases.pending(&schema()).await.unwrap(), all);
    let unready = databases.store(&schema()).await.map(|_| ());
    let Err(StoreError::MigrationsPending { domain: "things", pending }) = unready else { panic!("{unready:?}") };
    assert_eq!(pending, all);

    let starters: Vec<_> = (0..4)
        .map(|_| {
            let databases = databases.clone();
            tokio::spawn(async move { databases.migrate(&schema()).await })
        })
        .collect();
    for starter in starters {
        starter.await.unwrap().unwrap();
    }
    databases.migrate(&schema()).await.unwrap();
    assert_eq!(databases.pending(&schema()).await.unwrap(), [""; 0]);
    databases.store(&schema()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_by_starters_in_turn_on_sqlite() {
    applied_once_in_turn(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_by_starters_in_turn_on_postgres() {
    applied_once_in_turn(Backend::Postgres).await;
}

/// Starts as ten processes would, each with connections of its own.
async fn ten_start_at_once(settings: &Settings, schema: &DomainSchema) {
    let starters: Vec<_> = (0..10)
        .map(|_| {
            let (settings, schema) = (settings.clone(), schema.clone());
            tokio::spawn(async move {
                let databases = Databases::open(&settings).await?;
                databases.migrate(&schema).await?;
                databases.store(&schema).await?.ping().await
            })
        })
        .collect();
    for starter in starters {
        starter.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_that_start_at_once_all_start_on_postgres() {
    let (admin, mut settings) = with_migrator("CREATEROLE").await;
    settings.max_connections = 2;
    let domain = own_domain();
    let schema = DomainSchema::new(domain).migrations(MIGRATIONS).statements(STATEMENTS);
    ten_start_at_once(&settings, &schema).await;
    let mut connection = PgConnection::connect(admin.as_str()).await.unwrap();
    let history = format!("SELECT version FROM weft_{domain}.weft_migrations_{domain} WHERE success ORDER BY version");
    let versions: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(history)).fetch_all(&mut connection).await.unwrap();
    assert_eq!(versions, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_that_make_the_file_together_all_start_on_sqlite() {
    for _ in 0..5 {
        let Empty { settings, folder: _folder, .. } = empty(Backend::Sqlite).await;
        ten_start_at_once(&settings, &schema()).await;
    }
}

async fn changed_is_refused(backend: Backend) {
    let Empty { settings, folder: _folder, .. } = empty(backend).await;
    let databases = Databases::open(&settings).await.unwrap();
    databases.migrate(&schema()).await.unwrap();
    let changed = DomainSchema::new("things").migrations(Migrations { shared: &CHANGED, postgres: None }).statements(STATEMENTS);
    let refused = databases.migrate(&changed).await;
    assert!(matches!(refused, Err(StoreError::Migration { domain: "things", .. })), "{refused:?}");
    // Code that knows fewer migrations than were applied starts all the same.
    let older = DomainSchema::new("things");
    databases.migrate(&older).await.unwrap();
    databases.store(&older).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused_on_sqlite() {
    changed_is_refused(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused_on_postgres() {
    changed_is_refused(Backend::Postgres).await;
}

#[test]
fn parts_of_one_name_and_versions_used_twice_are_refused() {
    let twice = DomainSchema::new("things").part(SchemaPart::new("things"));
    let databases = async |schema: DomainSchema| {
        let folder = tempfile::tempdir().unwrap();
        Databases::open(&Settings::sqlite(folder.path())).await.unwrap().migrate(&schema).await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(databases(twice));
    assert!(matches!(refused, Err(StoreError::NameTaken { name: "things" })), "{refused:?}");
}

/// A domain that no other test has: its roles are not there yet.
fn own_domain() -> &'static str {
    Box::leak(format!("d{}", &uuid::Uuid::new_v4().simple().to_string()[..12]).into_boxed_str())
}

/// A database whose migrating user has `attributes` and whose serving user has none.
async fn with_migrator(attributes: &str) -> (Url, Settings) {
    let admin = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
    let migrator = login(&admin, attributes).await;
    let user = Url::parse(migrator.expose_secret()).unwrap().username().to_owned();
    execute(&admin, &format!("GRANT CREATE ON DATABASE {} TO {user}", &admin.path()[1..])).await;
    let mut settings = Settings::postgres(login(&admin, "").await);
    settings.migration_url = Some(migrator);
    (admin, settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_may_make_roles_migrates_and_the_serving_user_cannot() {
    let (_admin, settings) = with_migrator("CREATEROLE").await;
    let domain = own_domain();
    let schema = DomainSchema::new(domain).migrations(MIGRATIONS).statements(STATEMENTS);
    let databases = Databases::open(&settings).await.unwrap();
    databases.migrate(&schema).await.unwrap();
    databases.migrate(&schema).await.unwrap();
    databases.store(&schema).await.unwrap().ping().await.unwrap();

    let mut serving = PgConnection::connect(settings.url.unwrap().expose_secret()).await.unwrap();
    for forbidden in [
        format!("SET ROLE weft_{domain}_owner"),
        format!("DROP TABLE weft_{domain}.things"),
        format!("ALTER TABLE weft_{domain}.things DISABLE ROW LEVEL SECURITY"),
        format!("SET ROLE weft_{domain}; CREATE TABLE weft_{domain}.mine (id BIGINT)"),
        format!("SET ROLE weft_{domain}_system; DROP TABLE weft_{domain}.things"),
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(forbidden.clone())).execute(&mut serving).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501", "{forbidden}: {refused}");
        sqlx::raw_sql("RESET ROLE").execute(&mut serving).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_may_not_make_roles_is_told_what_is_needed() {
    let (admin, settings) = with_migrator("").await;
    let domain = own_domain();
    let schema = DomainSchema::new(domain).migrations(MIGRATIONS).statements(STATEMENTS);
    let databases = Databases::open(&settings).await.unwrap();
    let refused = databases.migrate(&schema).await.unwrap_err();
    let message = refused.to_string();
    assert!(matches!(refused, StoreError::RolesMissing { .. }) && message.contains("CREATEROLE"), "{message}");
    assert!(message.contains(&format!("weft_{domain}_owner")), "{message}");

    // As an administrator would make them.
    let user = |url: &secrecy::SecretString| Url::parse(url.expose_secret()).unwrap().username().to_owned();
    let (migrator, service) = (user(settings.migration_url.as_ref().unwrap()), user(settings.url.as_ref().unwrap()));
    let roles = format!(
        "CREATE ROLE weft_{domain}; CREATE ROLE weft_{domain}_system; CREATE ROLE weft_{domain}_owner; \
         GRANT weft_{domain}_owner TO {migrator}; GRANT weft_{domain}, weft_{domain}_system TO {service}"
    );
    execute(&admin, &roles).await;
    databases.migrate(&schema).await.unwrap();
    databases.store(&schema).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_row_level_security_would_not_hold_is_refused() {
    let admin = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
    let domain = own_domain();
    execute(&admin, &format!("CREATE ROLE weft_{domain} BYPASSRLS")).await;
    let databases = Databases::open(&Settings::postgres(secret(&admin))).await.unwrap();
    let refused = databases.migrate(&DomainSchema::new(domain)).await;
    assert!(matches!(refused, Err(StoreError::RoleUnsafe { .. })), "{refused:?}");
}
