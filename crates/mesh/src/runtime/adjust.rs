//! What the configuration changes while domains run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_access::{CallerRules, LimitFactors};
use weft_call::TenantId;
use weft_config::{Config, ConfigError, Loaded, Quota};
use weft_discovery::{ConsulSettings, Token};
use weft_reload::Live;
use weft_store::{Databases, StoreError};
use weft_transport::{
    BreakerTuning, ConcurrencyTuning, ConnectionTuning, LiveTuning, RetryTuning, StreamTuning, Tuning, TuningError,
};

use super::{blobs, callers};
use crate::StartError;

/// Refuses what a running process could not take: what domains and their calls need of a configuration beyond its own
/// rules.
pub fn check_config(loaded: &Loaded) -> Result<(), ConfigError> {
    tuning(&loaded.config.tuning).check().map_err(|TuningError { name, must_be }| {
        loaded.unfit(&format!("tuning.{name}"), format!("the value must be {must_be}"))
    })?;
    Token::new(loaded.config.consul.token.as_ref()).map_err(|error| loaded.unfit("consul.token", error.to_string()))?;
    for (setting, url) in [
        ("database.url", loaded.config.database.url.as_ref()),
        ("database.migration_url", loaded.config.database.migration_url()),
        ("database.replica_url", loaded.config.database.replica_url.as_ref()),
    ] {
        url.map_or(Ok(()), weft_store::check_url).map_err(|error| loaded.unfit(setting, error.to_string()))?;
    }
    check_replica(loaded)?;
    blobs::settings(&loaded.config).map_err(|missing| loaded.unfit("blobs.url", format!("a bucket needs {missing}")))?;
    match loaded.config.limits.tenant_quotas.keys().find(|id| tenant(id).is_none()) {
        Some(id) => Err(loaded.unfit(&format!("limits.tenant_quotas.{id}"), format!("{id:?} is not the id of a tenant"))),
        None => Ok(()),
    }
}

/// A replica is one of a server, and all processes must know whose writes it must have.
fn check_replica(loaded: &Loaded) -> Result<(), ConfigError> {
    let (config, setting) = (&loaded.config, "database.replica_url");
    if config.database.replica_url.is_none() {
        return Ok(());
    }
    if config.database.url.is_none() {
        return Err(loaded.unfit(setting, StoreError::ReplicaWithoutServer.to_string()));
    }
    match config.redis.url {
        Some(_) => Ok(()),
        None => Err(loaded.unfit(setting, StartError::ReplicaWithoutRedis.to_string())),
    }
}

fn tenant(id: &str) -> Option<TenantId> {
    Uuid::try_parse(id).ok().map(TenantId)
}

/// What of a process is adjusted while it runs. Clones are other handles of the same.
#[derive(Clone, Debug)]
pub(crate) struct Adjustable {
    pub(crate) tuning: LiveTuning,
    pub(crate) factors: LimitFactors,
    pub(crate) token: Token,
    pub(crate) rules: Arc<CallerRules>,
    /// What the databases are logged in to by, if there are any.
    login: Option<Login>,
}

#[derive(Clone, Debug)]
struct Login {
    databases: Databases,
    url: Arc<Mutex<Option<SecretString>>>,
    replica_url: Arc<Mutex<Option<SecretString>>>,
}

impl Adjustable {
    /// As the configuration says. Where that does not change the tuning stays as it is given.
    pub(super) fn new(
        config: &Config,
        live: Option<&Live>,
        tuning: LiveTuning,
        agent: Option<&ConsulSettings>,
        rules: Arc<CallerRules>,
    ) -> Self {
        let token = agent.map(|agent| agent.token.clone()).unwrap_or_default();
        let adjustable = Self { tuning, factors: LimitFactors::default(), token, rules, login: None };
        match live {
            Some(live) => adjustable.adjust(&live.generation().loaded.config),
            None => adjustable.stretch(config),
        }
        adjustable
    }

    /// Lets the login to these databases, which were opened as the configuration says, be rotated.
    pub(super) fn logs_in_to(&mut self, databases: Option<Databases>, config: &Config) {
        let url = Arc::new(Mutex::new(config.database.url.clone()));
        let replica_url = Arc::new(Mutex::new(config.database.replica_url.clone()));
        self.login = databases.map(|databases| Login { databases, url, replica_url });
    }

    /// Takes what each new configuration says, until `stop`.
    pub(super) async fn follow(self, live: Live, stop: CancellationToken) {
        stop.run_until_cancelled(live.follow(|config| self.adjust(config))).await.unwrap_or_default();
    }

    /// Takes what a configuration says. It has been checked, so what fails here is a mistake of ours; the rest is taken.
    fn adjust(&self, config: &Config) {
        callers::apply(config, &self.rules);
        self.stretch(config);
        if let Err(error) = self.tuning.store(tuning(&config.tuning)) {
            tracing::error!(%error, "the tuning cannot be taken: the one before stays");
        }
        if let Err(error) = self.token.replace(config.consul.token.as_ref()) {
            tracing::error!(%error, "the token cannot be taken: the one before stays");
        }
        if let Some(Err(error)) = self.login.as_ref().map(|login| login.rotate(config)) {
            tracing::error!(%error, "the login to the database cannot be taken: the one before stays");
        }
    }

    /// Stretches the limits of contracts, and gives tenants their quotas, as the configuration says.
    fn stretch(&self, config: &Config) {
        let limits = &config.limits;
        let by_domain: BTreeMap<_, _> = limits.factors.keys().map(|domain| (domain.clone(), limits.of(domain))).collect();
        self.factors.set(limits.general(), by_domain);
        let quotas = limits.tenant_quotas.iter().filter_map(|(id, quota)| Some((tenant(id)?, quota.calls())));
        self.factors.set_quotas(limits.tenant_quota.map(Quota::calls), quotas.collect());
    }
}

impl Login {
    fn rotate(&self, config: &Config) -> Result<(), StoreError> {
        let (database, databases) = (&config.database, &self.databases);
        take_up(&self.url, database.url.as_ref(), |url| databases.rotate_login(url))?;
        take_up(&self.replica_url, database.replica_url.as_ref(), |url| databases.rotate_replica_login(url))
    }
}

/// Rotates a login that is another than the one known.
fn take_up(
    known: &Mutex<Option<SecretString>>,
    url: Option<&SecretString>,
    rotate: impl Fn(&SecretString) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let is_known = |new: &SecretString| known.as_ref().is_some_and(|known| known.expose_secret() == new.expose_secret());
    match url {
        Some(new) if !is_known(new) => {
            rotate(new)?;
            *known = Some(new.clone());
        }
        Some(_) | None => {}
    }
    Ok(())
}

fn tuning(from: &weft_config::Tuning) -> Tuning {
    let weft_config::Tuning { connections, breaker, retry, calling, serving, streams } = from;
    Tuning {
        connections: ConnectionTuning {
            handshake: connections.handshake,
            keep_alive_interval: connections.keep_alive_interval,
            keep_alive_timeout: connections.keep_alive_timeout,
            max_age: connections.max_age,
            age_grace: connections.age_grace,
        },
        breaker: BreakerTuning {
            consecutive_failures: breaker.consecutive_failures,
            success_rate: breaker.success_rate,
            window: breaker.window,
            minimum_calls: breaker.minimum_calls,
            ejection: breaker.ejection,
            ejection_limit: breaker.ejection_limit,
        },
        retry: RetryTuning {
            attempts: retry.attempts,
            budget_ratio: retry.budget_ratio,
            budget_floor: retry.budget_floor,
            first_pause: retry.first_pause,
            pause_limit: retry.pause_limit,
        },
        calling: concurrency(calling),
        serving: concurrency(serving),
        streams: StreamTuning { idle: streams.idle, lifetime: streams.lifetime },
    }
}

fn concurrency(from: &weft_config::Concurrency) -> ConcurrencyTuning {
    let &weft_config::Concurrency { initial, least, most, tolerance, queue, queue_wait } = from;
    ConcurrencyTuning { initial, least, most, tolerance, queue, queue_wait }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use weft_config::Sources;

    use super::*;

    fn refusal(path: &str, value: &str) -> String {
        let flags = vec![(path.to_owned(), value.to_owned())];
        let loaded = Config::load(&Sources { flags, ..Sources::default() }).unwrap();
        check_config(&loaded).unwrap_err().to_string()
    }

    #[test]
    fn the_settings_default_to_what_the_stacks_default_to() {
        assert_eq!(tuning(&Config::default().tuning), Tuning::default());
    }

    #[test]
    fn a_value_that_does_not_go_with_others_is_refused_by_the_name_of_its_setting() {
        assert_eq!(refusal("tuning.retry.attempts", "11"), "--set tuning.retry.attempts: the value must be at most 10");
        let limit = refusal("tuning.breaker.ejection_limit", "500ms");
        assert_eq!(limit, "--set tuning.breaker.ejection_limit: the value must be no shorter than breaker.ejection");
        let url = refusal("database.url", "postgres://app:hunter2@db/weft?sslmode=hunter2");
        assert!(url.starts_with("--set database.url: ") && !url.contains("hunter2"), "{url}");
        let replica = refusal("database.replica_url", "postgres://app:hunter2@standby/weft");
        assert_eq!(replica, "--set database.replica_url: database.replica_url needs database.url: SQLite has no replicas");
        let token = refusal("consul.token", "hunter2\n");
        assert!(token.starts_with("--set consul.token: ") && !token.contains("hunter2"), "{token}");
    }
}
