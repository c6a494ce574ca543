//! What operators ask about changes over several domains.
//!
//! It is asked of the databases, so it works while domains run and while they do not.

use std::io::Write;

use chrono::SecondsFormat;
use uuid::Uuid;
use weft_config::Config;
use weft_mesh::{
    Call, CallBuilder, Clock, Domain, Scope,
    saga::{Saga, State},
    store::Databases,
};

use crate::{
    arguments::Sagas,
    events::{chosen, failed, open},
    failure::Failure,
    routes::{Form, table},
};

/// Does what was asked.
pub(crate) async fn run(config: &Config, domains: &[Domain], asked: Sagas, out: &mut impl Write) -> Result<(), Failure> {
    let databases = weft_mesh::open_databases(config).await?;
    let outcome = match asked {
        Sagas::List { domain, state, limit } => {
            let domains = chosen(domains, domain.as_deref(), |_| true)?;
            list(&databases, &domains, state, limit, out).await
        }
        Sagas::Show { domain, id } => show(&databases, domains, &domain, id, out).await,
        Sagas::Retry { domain, id } => retry(&databases, domains, &domain, id, out).await,
    };
    databases.close().await;
    outcome
}

fn system() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::System("an operator asks about sagas");
    parts.build()
}

fn time(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn list(
    databases: &Databases,
    domains: &[&Domain],
    state: Option<State>,
    limit: i64,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut table = table(Form::of_stdout(false), &["DOMAIN", "ID", "SAGA", "STATE", "AT", "TENANT", "BEGUN", "ERROR"]);
    for domain in domains {
        let store = open(databases, domain).await?;
        let sagas = weft_mesh::saga::Sagas::new(store.clone());
        for saga in sagas.list(&system(), state, limit).await.map_err(failed(&store))? {
            let (tenant, begun, at) = (saga.tenant().to_string(), time(saga.create_time), saga.position.to_string());
            let state = saga.state().as_str().to_owned();
            table.add_row([domain.name().to_owned(), saga.id.to_string(), saga.name, state, at, tenant, begun, saga.error]);
        }
    }
    writeln!(out, "{}", table.trim_fmt()).map_err(Failure::Output)
}

async fn show(databases: &Databases, domains: &[Domain], name: &str, id: Uuid, out: &mut impl Write) -> Result<(), Failure> {
    for domain in chosen(domains, Some(name), |_| false)? {
        let store = open(databases, domain).await?;
        let found = weft_mesh::saga::Sagas::new(store.clone()).find(&system(), id).await.map_err(failed(&store))?;
        let saga = found.ok_or_else(|| Failure::SagaUnknown { domain: domain.name(), id })?;
        write!(out, "{}", described(&saga)).map_err(Failure::Output)?;
    }
    Ok(())
}

/// Everything but its value, which may hold what nobody should read here.
fn described(saga: &Saga) -> String {
    let rows = [
        ("id", saga.id.to_string()),
        ("saga", saga.name.clone()),
        ("state", saga.state().as_str().to_owned()),
        ("steps done", saga.position.to_string()),
        ("attempts", saga.attempts.to_string()),
        ("tenant", saga.tenant().to_string()),
        ("on behalf of", saga.on_behalf_of.clone()),
        ("request id", saga.request_id.clone()),
        ("begun", time(saga.create_time)),
        ("changed", time(saga.update_time)),
        ("due", time(saga.due_at)),
        ("error", saga.error.clone()),
    ];
    rows.map(|(name, value)| format!("{name:<13} {value}\n")).concat()
}

async fn retry(databases: &Databases, domains: &[Domain], name: &str, id: Uuid, out: &mut impl Write) -> Result<(), Failure> {
    for domain in chosen(domains, Some(name), |_| false)? {
        let store = open(databases, domain).await?;
        let freed = weft_mesh::saga::Sagas::new(store.clone()).retry(&system(), id).await.map_err(failed(&store))?;
        if !freed {
            return Err(Failure::SagaUnknown { domain: domain.name(), id });
        }
        writeln!(out, "{id} is undone again").map_err(Failure::Output)?;
    }
    Ok(())
}

/// Reads a state from a command line.
pub(crate) fn state(text: &str) -> Result<State, String> {
    let names = || State::ALL.map(State::as_str).join(", ");
    State::parse(text).ok_or_else(|| format!("it must be one of {}", names()))
}
