//! What operators ask about events: what was published, what is parked, and that it be tried again.
//!
//! It is asked of the databases, so it works while domains run and while they do not.

use std::io::Write;

use chrono::SecondsFormat;
use uuid::Uuid;
use weft_config::Config;
use weft_events::{deferred, log};
use weft_mesh::{
    Call, CallBuilder, Clock, Domain, Error, Scope, TenantId, TopicPattern,
    store::{Databases, Store},
};

use crate::{
    arguments::Events,
    failure::Failure,
    routes::{Form, table},
};

/// Parked events that are shown at most of one domain.
const PARKED_LIMIT: i64 = 1000;

/// Does what was asked.
pub(crate) async fn run(config: &Config, domains: &[Domain], asked: Events, out: &mut impl Write) -> Result<(), Failure> {
    let databases = weft_mesh::open_databases(config).await?;
    let outcome = match asked {
        Events::List { topic, domain, tenant, after, limit, json } => {
            let wanted = log::Wanted { pattern: topic, tenant: tenant.map(TenantId) };
            let domains = chosen(domains, domain.as_deref(), |found| publishes(found, &wanted.pattern))?;
            list(&databases, &domains, &wanted, (after, limit), json, out).await
        }
        Events::Parked { domain, json } => {
            let domains = chosen(domains, domain.as_deref(), |found| !found.subscriptions().is_empty())?;
            parked(&databases, &domains, json, out).await
        }
        Events::Replay { domain, key, all: _ } => {
            let domains = chosen(domains, Some(&domain), |_| false)?;
            replay(&databases, &domains, key.as_deref(), out).await
        }
    };
    databases.close().await;
    outcome
}

/// The domain that was named, or those that it can be about.
pub(crate) fn chosen<'a>(
    domains: &'a [Domain],
    name: Option<&str>,
    is_meant: impl Fn(&Domain) -> bool,
) -> Result<Vec<&'a Domain>, Failure> {
    let Some(name) = name else { return Ok(domains.iter().filter(|domain| is_meant(domain)).collect()) };
    let known = || domains.iter().map(Domain::name).collect::<Vec<_>>().join(", ");
    let found = domains.iter().find(|domain| domain.name() == name);
    found.map(|found| vec![found]).ok_or_else(|| Failure::DomainUnknown { name: name.to_owned(), known: known() })
}

fn publishes(domain: &Domain, pattern: &TopicPattern) -> bool {
    domain.contract().events.iter().any(|event| pattern.matches(event.topic))
}

pub(crate) async fn open(databases: &Databases, domain: &Domain) -> Result<Store, Failure> {
    let failed = |source| Failure::Records { domain: domain.name(), source: Error::from(source) };
    databases.store(domain.schema()).await.map_err(failed)
}

pub(crate) fn failed(store: &Store) -> impl FnOnce(Error) -> Failure {
    let domain = store.domain();
    move |source| Failure::Records { domain, source }
}

fn system() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::System("an operator asks about events");
    parts.build()
}

async fn list(
    databases: &Databases,
    domains: &[&Domain],
    wanted: &log::Wanted,
    (after, limit): (i64, usize),
    json: bool,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut found = Vec::new();
    for domain in domains {
        let store = open(databases, domain).await?;
        found.extend(log::matching(&store, &system(), wanted, after, limit).await.map_err(failed(&store))?);
    }
    if json {
        return found.iter().try_for_each(|event| writeln!(out, "{}", event.to_json())).map_err(Failure::Output);
    }
    let mut table = table(Form::of_stdout(false), &["DOMAIN", "POSITION", "TOPIC", "KEY", "TENANT", "TIME", "ID"]);
    for event in found {
        let time = event.time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (tenant, id, position) = (event.tenant.to_string(), event.id.to_string(), event.position.to_string());
        table.add_row([event.source, position, event.topic, event.key, tenant, time, id]);
    }
    writeln!(out, "{}", table.trim_fmt()).map_err(Failure::Output)
}

async fn parked(databases: &Databases, domains: &[&Domain], json: bool, out: &mut impl Write) -> Result<(), Failure> {
    let mut table = table(Form::of_stdout(false), &["DOMAIN", "KEY", "TOPIC", "FROM", "BEHIND", "TENANT", "SINCE", "ERROR"]);
    for domain in domains {
        let store = open(databases, domain).await?;
        for one in deferred::parked(&store, &system(), PARKED_LIMIT).await.map_err(failed(&store))? {
            let (tenant, since) = (one.tenant().to_string(), one.deferred_at.to_rfc3339_opts(SecondsFormat::Millis, true));
            if json {
                let line = serde_json::json!({
                    "domain": domain.name(), "key": one.event_key, "topic": one.topic, "source": one.source, "id": one.event_id,
                    "behind": one.behind, "tenant": tenant, "since": since, "attempts": one.attempts, "error": one.error,
                });
                writeln!(out, "{line}").map_err(Failure::Output)?;
            }
            let behind = one.behind.to_string();
            table.add_row([domain.name().to_owned(), one.event_key, one.topic, one.source, behind, tenant, since, one.error]);
        }
    }
    if json { Ok(()) } else { writeln!(out, "{}", table.trim_fmt()).map_err(Failure::Output) }
}

async fn replay(databases: &Databases, domains: &[&Domain], key: Option<&str>, out: &mut impl Write) -> Result<(), Failure> {
    for domain in domains {
        let store = open(databases, domain).await?;
        let freed = deferred::replay(&store, &system(), key).await.map_err(failed(&store))?;
        writeln!(out, "{}: {freed} keys are tried again", domain.name()).map_err(Failure::Output)?;
    }
    Ok(())
}

/// Reads a pattern of topics from a command line.
pub(crate) fn pattern(text: &str) -> Result<TopicPattern, String> {
    TopicPattern::parse(text).map_err(|error| error.to_string())
}

/// Reads a tenant from a command line.
pub(crate) fn tenant(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| "it must be a tenant's id (a UUID)".to_owned())
}
