//! Raw SQL by the roles that serve, over one connection, for one tenant after the other.

use fastrand::Rng;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use weft_call::TenantId;

use crate::table;

const STATEMENTS: usize = 400;
/// PostgreSQL's `insufficient_privilege`: what row-level security and missing grants answer with.
const FORBIDDEN: &str = "42501";

/// A table with a tenant in each row.
struct Table {
    domain: &'static str,
    name: String,
}

/// One statement for a tenant in a transaction of its own: the number that it gives, or none if it is forbidden.
async fn ask(connection: &mut PgConnection, role: &str, table: &Table, tenant: &str, text: &str) -> Option<i64> {
    let domain = table.domain;
    let begin = format!(
        "BEGIN; SET LOCAL ROLE weft_{domain}{role}; SET LOCAL search_path = weft_{domain}; SET LOCAL weft.tenant = '{tenant}'"
    );
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *connection).await.unwrap();
    let outcome = sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_one(&mut *connection).await;
    sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
    match outcome {
        Ok(count) => Some(count),
        Err(error) if error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some(FORBIDDEN) => None,
        Err(error) => panic!("{text}: {error}"),
    }
}

/// The tables of all domains whose rows have a tenant.
async fn tables(connection: &mut PgConnection) -> Vec<Table> {
    let mut found = Vec::new();
    for domain in table::domains() {
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT c.table_name::text FROM information_schema.columns AS c JOIN information_schema.tables AS t \
             ON t.table_schema = c.table_schema AND t.table_name = c.table_name AND t.table_type = 'BASE TABLE' \
             WHERE c.table_schema = 'weft_' || $1 AND c.column_name = 'tenant_id'",
        )
        .bind(domain.name())
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        found.extend(names.into_iter().map(|name| Table { domain: domain.name(), name }));
    }
    found
}

/// What counts the rows of `tenant` that a statement reaches.
fn statement(random: &mut Rng, table: &str, tenant: &str) -> String {
    let theirs = format!("tenant_id = '{tenant}'");
    match random.u8(0..5) {
        0 => format!("SELECT count(*) FROM {table} WHERE {theirs}"),
        1 => format!("SELECT count(*) FROM {table} AS one WHERE EXISTS (SELECT 1 FROM {table} AS other WHERE other.{theirs})"),
        2 => format!("WITH done AS (DELETE FROM {table} WHERE {theirs} RETURNING 1) SELECT count(*) FROM done"),
        3 => format!(
            "WITH done AS (UPDATE {table} SET tenant_id = tenant_id WHERE {theirs} RETURNING 1) SELECT count(*) FROM done"
        ),
        // Gives what is one's own away.
        _ => format!("WITH done AS (UPDATE {table} SET tenant_id = '{tenant}' RETURNING 1) SELECT count(*) FROM done"),
    }
}

pub(crate) async fn not_one_row_crosses(url: &str, tenants: &[TenantId; 2], seed: u64) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut random = Rng::with_seed(seed);
    let tenants = [tenants[0].to_string(), tenants[1].to_string()];
    let tables = tables(&mut connection).await;
    let mut shared = 0;
    for table in &tables {
        let mut rows = Vec::new();
        for tenant in &tenants {
            let count = format!("SELECT count(*) FROM {} WHERE tenant_id = '{tenant}'", table.name);
            // A system scope sees all tenants: what is looked for is there to be found.
            rows.push(ask(&mut connection, "_system", table, "", &count).await.unwrap_or_default());
            assert_eq!(ask(&mut connection, "", table, "", &count).await.unwrap_or_default(), 0, "without a tenant: {count}");
        }
        shared += usize::from(rows.iter().all(|rows| *rows > 0));
    }
    println!("{} tables with tenants, {shared} of them with rows of both", tables.len());
    assert!(shared >= 5, "{shared} tables have rows of both tenants");
    let mut forbidden = 0;
    for _ in 0..STATEMENTS {
        let (table, side) = (&tables[random.usize(0..tables.len())], random.usize(0..2));
        let text = statement(&mut random, &table.name, &tenants[1 - side]);
        match ask(&mut connection, "", table, &tenants[side], &text).await {
            None => forbidden += 1,
            Some(rows) => assert_eq!(rows, 0, "WEFT_TEST_SEED={seed}: weft_{}: {text}", table.domain),
        }
    }
    println!("{STATEMENTS} statements, {forbidden} of them forbidden, reached no row of the other tenant");
}
