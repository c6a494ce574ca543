//! The intentions that a Consul agent knows, kept current in the [`CallerRules`].
//!
//! # Problem
//!
//! An operator denies a call in Consul and expects it to end at once, everywhere. Consul's own answer, to be asked once
//! for each connection, lets a connection that is open go on.
//!
//! # Rule
//!
//! A blocking query on the list of intentions tells that one has changed, so a change is in force within moments and
//! nothing is asked on the way of a call. What they say for each domain of this process is then asked by
//! `/v1/connect/intentions/match?by=destination` (Consul's API documentation, "List Matching Intentions"), which shows
//! those for every destination to whoever may see the domain's own, but tells no index before Consul 1.9. The most specific intention decides, as Consul
//! orders them; where none fits, the agent's default for intentions does, which is that of its access control. An
//! intention with rules for single requests (Consul 1.9 and later) denies: what it allows is not read here. Only the
//! namespace `default` counts, as for the names of workloads.
//!
//! # Recovery
//!
//! A domain does not start before its intentions are known. While the agent does not answer, the last known ones hold,
//! and one warning is logged; [`ConsulIntentions::is_stale`] tells. For half a minute after an outage, an agent that knows
//! no intention at all is not believed: it may have lost its memory.

mod answer;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use weft_consul::{Client, ConsulError, ConsulSettings, Cursor};

use crate::{CallerRules, Intentions, Sources};

/// A storm of changes is read this often at most.
const PACE: Duration = Duration::from_millis(100);
/// A failed request is made again after this at most, and half of it at least.
const RETRY: Duration = Duration::from_secs(2);
/// A caller that no intention names: what is said of it is the default.
const NOBODY: &str = "weft-nobody";

/// Follows the intentions of the domains of this process until it is dropped.
#[derive(Debug)]
pub struct ConsulIntentions {
    followed: Arc<Followed>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Followed {
    client: Client,
    domains: Vec<String>,
    rules: Arc<CallerRules>,
    is_stale: AtomicBool,
}

impl ConsulIntentions {
    /// Puts the intentions of these domains into the rules, and keeps them current. Must be called within a Tokio
    /// runtime.
    ///
    /// The token needs `service:read` for each of them. Fails when the agent does not answer or refuses.
    pub async fn follow(
        settings: &ConsulSettings,
        domains: impl IntoIterator<Item = &str>,
        rules: Arc<CallerRules>,
    ) -> Result<Self, ConsulError> {
        let (client, domains) = (Client::new(settings)?, domains.into_iter().map(str::to_owned).collect());
        let followed = Arc::new(Followed { client, domains, rules, is_stale: AtomicBool::new(false) });
        let (mut cursor, mut known) = (Cursor::default(), BTreeMap::new());
        followed.renew(&mut cursor, &mut known).await?;
        let mut task = JoinSet::new();
        task.spawn(follow(Arc::clone(&followed), cursor, known));
        Ok(Self { followed, _task: task })
    }

    /// Whether what is known may be out of date, because the agent does not answer.
    pub fn is_stale(&self) -> bool {
        self.followed.is_stale.load(Ordering::Relaxed)
    }
}

async fn follow(followed: Arc<Followed>, mut cursor: Cursor, mut known: BTreeMap<String, Intentions>) {
    loop {
        let asked = Instant::now();
        match followed.renew(&mut cursor, &mut known).await {
            Ok(()) => {
                if followed.is_stale.swap(false, Ordering::Relaxed) {
                    tracing::info!("Consul tells intentions again");
                }
                sleep_until(asked + PACE).await;
            }
            Err(error) => {
                if followed.is_stale.swap(true, Ordering::Relaxed) {
                    tracing::debug!(%error, "Consul still does not tell intentions");
                } else {
                    tracing::warn!(%error, "Consul does not tell intentions: those known last hold");
                }
                cursor.failed(Instant::now());
                sleep(RETRY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            }
        }
    }
}

impl Followed {
    /// Waits for a change, and takes what has changed for these domains.
    async fn renew(&self, cursor: &mut Cursor, known: &mut BTreeMap<String, Intentions>) -> Result<(), ConsulError> {
        let path = ["v1", "connect", "intentions"];
        let list = self.client.get(&path, None, cursor.index(), cursor.wait(Instant::now())).await?;
        for domain in &self.domains {
            let matches = self.matches(domain).await?;
            if matches.is_empty() && known.contains_key(domain) && !cursor.believes_in_nothing(Instant::now()) {
                continue;
            }
            let intentions = Intentions::new(matches, self.default(domain).await?);
            if known.get(domain) != Some(&intentions) {
                tracing::info!(domain, ?intentions, "took new intentions");
                self.rules.set_intentions(domain, &intentions);
                known.insert(domain.clone(), intentions);
            }
        }
        // Only now: what could not be taken is asked for again at once.
        cursor.answered(list.index, Instant::now());
        Ok(())
    }

    async fn matches(&self, domain: &str) -> Result<Vec<(Sources, bool)>, ConsulError> {
        let (path, parameters) = (["v1", "connect", "intentions", "match"], [("by", "destination"), ("name", domain)]);
        answer::matches(&self.client.query(&path, &parameters).await?.body, domain)
    }

    /// What holds for callers that no intention fits. (Where one is for every caller, it is what that says.)
    async fn default(&self, domain: &str) -> Result<bool, ConsulError> {
        let (path, parameters) = (["v1", "connect", "intentions", "check"], [("source", NOBODY), ("destination", domain)]);
        answer::is_allowed(&self.client.query(&path, &parameters).await?.body)
    }
}
