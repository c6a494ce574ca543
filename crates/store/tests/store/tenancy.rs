//! A tenant's records are its own.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use weft_call::{Call, MeshReason, Scope};
use weft_store::{Statement, Store, StoreError, Tx};

use crate::support::{
    Backend, Bench, COUNT_ALL_THINGS, COUNT_FORGETFUL, COUNT_THINGS, FIND_ACCOUNT, INSERT_ACCOUNT, call, cause, in_scope,
    on_both, system, tenant, unregistered::NOT_REGISTERED,
};

async fn count(store: &Store, call: &Call, statement: &'static Statement) -> weft_call::Result<i64> {
    store.read(call, async |read| Ok(read.run(statement).fetch_value().await?)).await
}

on_both! {
    async fn a_tenant_sees_and_changes_its_own_rows_alone(bench) {
        let (one, other) = (tenant(), tenant());
        bench.add(one, "a").await;
        bench.add(other, "b").await;
        assert_eq!(bench.names(one).await, ["a"]);
        assert_eq!(bench.names(other).await, ["b"]);
        assert_eq!(bench.names(tenant()).await, [""; 0]);
    }

    async fn a_system_scope_sees_every_tenant_and_runs_system_statements_alone(bench) {
        bench.add(tenant(), "a").await;
        bench.add(tenant(), "a").await;
        assert_eq!(count(&bench.store, &system(), &COUNT_ALL_THINGS).await.unwrap(), 2);
        let own = count(&bench.store, &system(), &COUNT_THINGS).await.unwrap_err();
        assert_eq!(own.reason(), Some(MeshReason::TenantMissing));
        let id = uuid::Uuid::now_v7();
        let account = async |tx: Tx| {
            tx.run(&INSERT_ACCOUNT).bind(id).bind("a@b.c").execute().await?;
            Ok(tx.run(&FIND_ACCOUNT).bind("a@b.c").fetch_value::<uuid::Uuid>().await?)
        };
        assert_eq!(bench.store.transact(&system(), account).await.unwrap(), id);
    }

    async fn a_statement_outside_its_scope_or_table_is_refused(bench) {
        let (own, nothing) = (call(tenant()), in_scope(Scope::Nothing));
        let system_statement = count(&bench.store, &own, &COUNT_ALL_THINGS).await.unwrap_err();
        assert!(matches!(cause(&system_statement), StoreError::NotInSystemScope { statement: "COUNT_ALL_THINGS" }));
        let unknown = count(&bench.store, &own, &NOT_REGISTERED).await.unwrap_err();
        assert!(matches!(cause(&unknown), StoreError::StatementUnknown { domain: "things", .. }));
        for statement in [&COUNT_THINGS, &COUNT_ALL_THINGS] {
            let no_tenant = count(&bench.store, &nothing, statement).await.unwrap_err();
            assert!(matches!(cause(&no_tenant), StoreError::TenantMissing));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_forgets_the_tenant_leaks_nothing_on_postgres() {
    // One connection, so that whatever a transaction left behind would be the next one's.
    let bench = Bench::with(Backend::Postgres, |settings| settings.max_connections = 1).await;
    let (one, other) = (tenant(), tenant());
    bench.add(one, "a").await;
    bench.add(one, "b").await;
    bench.add(other, "a").await;
    for (tenant, own) in [(one, 2), (other, 1), (tenant(), 0), (one, 2)] {
        assert_eq!(count(&bench.store, &call(tenant), &COUNT_FORGETFUL).await.unwrap(), own);
        assert_eq!(count(&bench.store, &system(), &COUNT_ALL_THINGS).await.unwrap(), 3);
    }
}

/// Runs SQL as the service role and returns its first number.
async fn as_service(connection: &mut PgConnection, tenant: &str, text: &str) -> Result<i64, sqlx::Error> {
    let begin = format!("BEGIN; SET LOCAL ROLE weft_things; SET LOCAL search_path = weft_things; {tenant}");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await?;
    let outcome = sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_one(&mut *connection).await;
    sqlx::raw_sql("ROLLBACK").execute(connection).await?;
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_role_reaches_no_other_tenant_by_any_statement() {
    let bench = Bench::new(Backend::Postgres).await;
    let (one, other) = (tenant(), tenant());
    bench.add(one, "a").await;
    let mut connection = PgConnection::connect(bench.admin.unwrap().as_str()).await.unwrap();
    let mut run = async |tenant: &str, text: &str| as_service(&mut connection, tenant, text).await;
    let (as_one, as_other) = (format!("SET LOCAL weft.tenant = '{one}'"), format!("SET LOCAL weft.tenant = '{other}'"));

    assert_eq!(run(&as_one, "SELECT count(*) FROM things").await.unwrap(), 1);
    assert_eq!(run(&as_other, "SELECT count(*) FROM things").await.unwrap(), 0);
    for no_tenant in ["", "SET LOCAL weft.tenant = ''"] {
        assert_eq!(run(no_tenant, "SELECT count(*) FROM things").await.unwrap(), 0);
    }
    let changed = "WITH done AS (UPDATE things SET quantity = 0 RETURNING 1) SELECT count(*) FROM done";
    assert_eq!(run(&as_other, changed).await.unwrap(), 0);
    let deleted = "WITH done AS (DELETE FROM things RETURNING 1) SELECT count(*) FROM done";
    assert_eq!(run(&as_other, deleted).await.unwrap(), 0);
    for forbidden in [
        // Gives a row away, and makes one for another tenant.
        format!("UPDATE things SET tenant_id = '{other}' RETURNING quantity"),
        format!(
            "INSERT INTO things SELECT '{other}', id, name, quantity, active, meta, payload, seen_at FROM things RETURNING quantity"
        ),
        // Tables without tenant, the store's secret, what it may not own or change.
        "SELECT count(*) FROM accounts".to_owned(),
        "SELECT count(*) FROM weft_secret".to_owned(),
        "SELECT count(*) FROM weft_migrations_things".to_owned(),
    ] {
        let error = run(&as_one, &forbidden).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{forbidden}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roles_that_serve_own_nothing_and_every_tenant_table_is_forced() {
    let bench = Bench::new(Backend::Postgres).await;
    let mut connection = PgConnection::connect(bench.admin.unwrap().as_str()).await.unwrap();
    let owners = "SELECT c.relname::text || ' ' || pg_get_userbyid(c.relowner) FROM pg_class c \
        WHERE c.relnamespace = 'weft_things'::regnamespace AND pg_get_userbyid(c.relowner) <> 'weft_things_owner'";
    let owners: Vec<String> = sqlx::query_scalar(owners).fetch_all(&mut connection).await.unwrap();
    assert_eq!(owners, [""; 0], "owned by another than the owner");
    let secured = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'weft_things'::regnamespace \
        AND c.relkind = 'r' AND c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1";
    let secured: Vec<String> = sqlx::query_scalar(secured).fetch_all(&mut connection).await.unwrap();
    assert_eq!(secured, ["notes", "things", "weft_idempotency_answer", "weft_idempotency_key", "weft_outbox"]);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'weft\\_things%' \
        AND NOT rolcanlogin AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcreaterole";
    let roles: i64 = sqlx::query_scalar(roles).fetch_one(&mut connection).await.unwrap();
    assert_eq!(roles, 3);
}
