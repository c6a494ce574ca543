//! Migrations of a domain's PostgreSQL schema, and the roles and row-level security around it.
//!
//! Three roles a domain, none of which can log in: the owner, which migrations run as; the service
//! role, which owns nothing and sees one tenant's rows; the system role, which sees all rows. The
//! user of the service may become the last two, the user that migrates the first.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, error::DatabaseError, raw_sql};
use weft_call::Scope;

use super::{ADD_SECRET, failed, fresh_secret, migrator, missing, set_up};
use crate::{
    DomainSchema, SchemaPart, StoreError, page,
    postgres::{Mode, PgTransaction, Pool, Roles, begin_text},
};

/// Roles belong to the whole server, where nothing makes those who change them take turns: who loses
/// tries again.
const ROLE_ATTEMPTS: u32 = 20;

/// The policies that the store puts on every table with a tenant.
const POLICIES: [&str; 3] = ["weft_service", "weft_system", "weft_owner"];

/// Tables that hold nothing of any tenant, and that a tenant's transaction must read: under which fence
/// events are handled, and other work is done.
const READ_BY_ALL: [&str; 2] = ["weft_event_fence", "weft_fence"];

const LIST_TABLES: &str = "
    SELECT c.relname::text,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped),
           c.relrowsecurity AND c.relforcerowsecurity
               AND (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = ANY ($2)) = cardinality($2)
    FROM pg_class c
    WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p')
    ORDER BY 1";

/// Applies what is pending. `login` is the user that the service logs in as.
pub(crate) async fn run(mut connection: PgConnection, login: &str, schema: &DomainSchema) -> Result<(), StoreError> {
    let domain = schema.domain();
    let roles = Roles::of(domain);
    // Until the connection closes: whoever comes second finds the work done.
    let lock = sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))").bind(roles.schema());
    lock.execute(&mut connection).await.map_err(set_up(domain, "take the migration lock"))?;
    make_roles(&mut connection, &roles, login, domain).await?;
    make_schema(&mut connection, &roles).await.map_err(set_up(domain, "make the schema"))?;
    let Roles { owner, service, system } = &roles;
    let become_owner = format!(
        "SET ROLE {owner}; SET search_path = {schema}; GRANT USAGE ON SCHEMA {schema} TO {service}, {system}",
        schema = roles.schema()
    );
    execute(&mut connection, become_owner).await.map_err(set_up(domain, "become the owner of the schema"))?;
    for part in schema.parts() {
        migrator(part, true)?.run_direct(None, &mut connection, false).await.map_err(failed(domain))?;
    }
    let add = sqlx::query(ADD_SECRET).bind(page::SECRET_NAME).bind(fresh_secret()?);
    add.execute(&mut connection).await.map_err(set_up(domain, "make the page-token key"))?;
    secure(&mut connection, &roles).await.map_err(set_up(domain, "set up row-level security"))?;
    connection.close().await.map_err(set_up(domain, "close the connection"))
}

/// The text is made of checked identifiers.
async fn execute(connection: &mut PgConnection, text: String) -> Result<(), sqlx::Error> {
    raw_sql(AssertSqlSafe(text)).execute(connection).await.map(drop)
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

async fn make_roles(connection: &mut PgConnection, roles: &Roles, login: &str, domain: &'static str) -> Result<(), StoreError> {
    for attempt in 0.. {
        let (step, source) = match try_make_roles(connection, roles, login).await {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let code = source.as_database_error().and_then(DatabaseError::code).unwrap_or_default().into_owned();
        match code.as_str() {
            // Insufficient privilege.
            "42501" => {
                let login = login.to_owned();
                return Err(StoreError::RolesMissing { login, step, domain, source });
            }
            // Made by another process just now; "tuple concurrently updated".
            "42710" | "23505" | "XX000" if attempt < ROLE_ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(10) + Duration::from_millis(40).mul_f64(fastrand::f64())).await;
            }
            _ => return Err(StoreError::Setup { domain, step, source }),
        }
    }
    refuse_unsafe(connection, roles, domain).await
}

type StepError = (&'static str, sqlx::Error);

async fn try_make_roles(connection: &mut PgConnection, roles: &Roles, login: &str) -> Result<(), StepError> {
    let step = |step: &'static str| move |source: sqlx::Error| (step, source);
    for role in [&roles.service, &roles.system, &roles.owner] {
        let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)").bind(role);
        if !exists.fetch_one(&mut *connection).await.map_err(step("list roles"))? {
            execute(connection, format!("CREATE ROLE {role} NOLOGIN")).await.map_err(step("make roles"))?;
        }
    }
    let migrator: String = {
        let user = sqlx::query_scalar("SELECT current_user::text");
        user.fetch_one(&mut *connection).await.map_err(step("list roles"))?
    };
    // From 16 on, who makes a role is a member of it that may not become it.
    let version: i32 = {
        let version = sqlx::query_scalar("SELECT current_setting('server_version_num')::int");
        version.fetch_one(&mut *connection).await.map_err(step("read the server's version"))?
    };
    let may_become = if version >= 160_000 { "SET" } else { "MEMBER" };
    for (user, role) in [(migrator.as_str(), &roles.owner), (login, &roles.service), (login, &roles.system)] {
        let member = sqlx::query_scalar("SELECT pg_has_role($1, $2, $3)").bind(user).bind(role).bind(may_become);
        if !member.fetch_one(&mut *connection).await.map_err(step("list roles"))? {
            execute(connection, format!("GRANT {role} TO {}", quoted(user))).await.map_err(step("grant roles"))?;
        }
    }
    Ok(())
}

async fn refuse_unsafe(connection: &mut PgConnection, roles: &Roles, domain: &'static str) -> Result<(), StoreError> {
    let text = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1) AND (rolsuper OR rolbypassrls)";
    let names = [roles.service.as_str(), roles.system.as_str(), roles.owner.as_str()];
    let found: Option<String> = sqlx::query_scalar(text)
        .bind(names.as_slice())
        .fetch_optional(connection)
        .await
        .map_err(set_up(domain, "look at the roles"))?;
    found.map_or(Ok(()), |role| Err(StoreError::RoleUnsafe { role }))
}

async fn make_schema(connection: &mut PgConnection, roles: &Roles) -> Result<(), sqlx::Error> {
    // Asked first, because `IF NOT EXISTS` needs the right to make schemas even when there is one.
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)").bind(roles.schema());
    if exists.fetch_one(&mut *connection).await? {
        return Ok(());
    }
    execute(connection, format!("CREATE SCHEMA {} AUTHORIZATION {}", roles.schema(), roles.owner)).await
}

/// Puts row-level security on every table with a `tenant_id` and leaves the others to the system role.
async fn secure(connection: &mut PgConnection, roles: &Roles) -> Result<(), sqlx::Error> {
    let Roles { service, system, .. } = roles;
    let tables = sqlx::query_as(LIST_TABLES).bind(roles.schema()).bind(POLICIES.as_slice());
    let tables: Vec<(String, bool, bool)> = tables.fetch_all(&mut *connection).await?;
    let mut commands = vec![format!("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {} TO {service}, {system}", roles.schema())];
    for (table, has_tenant, is_secured) in &tables {
        let name = quoted(table);
        if table.starts_with(SchemaPart::HISTORY_PREFIX) {
            commands.push(format!("GRANT SELECT ON {name} TO {system}"));
            continue;
        }
        commands.push(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {system}"));
        if !has_tenant {
            commands.push(format!("REVOKE ALL ON {name} FROM {service}"));
            if READ_BY_ALL.contains(&table.as_str()) {
                commands.push(format!("GRANT SELECT ON {name} TO {service}"));
            }
            continue;
        }
        // Policies lock their table, so they are not made again on every start.
        if !is_secured {
            commands.push(policies(&name, roles));
        }
        commands.push(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {service}"));
    }
    // Sent at once they are one transaction: no table is open before its policies stand.
    execute(connection, commands.join("; ")).await
}

fn policies(table: &str, roles: &Roles) -> String {
    let Roles { service, system, owner } = roles;
    let [for_service, for_system, for_owner] = POLICIES;
    // No tenant, or an empty one after an earlier transaction, is no row.
    let own = "tenant_id = NULLIF(current_setting('weft.tenant', true), '')::uuid";
    format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         DROP POLICY IF EXISTS {for_service} ON {table};
         DROP POLICY IF EXISTS {for_system} ON {table};
         DROP POLICY IF EXISTS {for_owner} ON {table};
         CREATE POLICY {for_service} ON {table} TO {service} USING ({own}) WITH CHECK ({own});
         CREATE POLICY {for_system} ON {table} TO {system} USING (true) WITH CHECK (true);
         CREATE POLICY {for_owner} ON {table} TO {owner} USING (true) WITH CHECK (true)"
    )
}

/// What is not applied. A schema that is not there has everything pending.
pub(crate) async fn pending(pool: &Pool, database: &str, schema: &DomainSchema) -> Result<Vec<String>, StoreError> {
    let roles = Roles::of(schema.domain());
    let unreachable = |source| StoreError::Unreachable { database: database.to_owned(), source };
    let mut connection = pool.acquire().await.map_err(unreachable)?;
    let read = set_up(schema.domain(), "read which migrations are applied");
    let applied = async {
        // Unprepared, in one round trip: outside of a transaction a pooler may give each to another session.
        let tables = format!(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{}'",
            roles.schema()
        );
        let tables = raw_sql(AssertSqlSafe(tables)).fetch_all(&mut *connection).await?;
        let tables = tables.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
        if !tables.iter().any(|table| table.starts_with(SchemaPart::HISTORY_PREFIX)) {
            return Ok(Vec::new());
        }
        let scope = Scope::System("asks which migrations are applied");
        let begin = begin_text(&roles, scope, Mode::Read, Duration::from_secs(30), pool.pooler());
        let mut transaction = PgTransaction::begin(connection, begin).await?;
        let mut applied = Vec::new();
        for history in schema.parts().map(SchemaPart::history).filter(|history| tables.contains(history)) {
            let versions = sqlx::query_scalar(AssertSqlSafe(format!("SELECT version FROM {history} WHERE success")));
            let versions: Vec<i64> = versions.persistent(false).fetch_all(transaction.connection()?).await?;
            applied.push((history, versions));
        }
        Ok(applied)
    };
    let applied = applied.await.map_err(read)?;
    let versions = |part: &SchemaPart| {
        applied.iter().find(|(history, _)| *history == part.history()).map_or(&[][..], |(_, versions)| versions.as_slice())
    };
    let labels = schema.parts().map(|part| missing(part, true, versions(part))).collect::<Result<Vec<_>, _>>()?;
    Ok(labels.concat())
}
