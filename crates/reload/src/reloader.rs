//! Reads the configuration again when what it was read from changes.

use std::{path::PathBuf, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};
use weft_config::{Changed, Config, ConfigError, ConsulKeys, Loaded, Sources};
use weft_consul::{Client, Token};
use weft_telemetry::Upkeep;

use crate::{
    agent::{AgentError, consul_settings},
    files::Watched,
    keys,
    live::{Generation, Live},
};

/// How often files are looked at. A change is taken after two looks.
const PERIOD: Duration = Duration::from_millis(500);

/// What is asked of a configuration beyond its own rules, by those who use it.
pub type Check = Box<dyn Fn(&Loaded) -> Result<(), ConfigError> + Send + Sync>;

/// Reads the configuration again when what it was read from changes.
pub struct Reloader {
    sources: Sources,
    check: Check,
    upkeep: Upkeep,
    live: watch::Sender<Arc<Generation>>,
    files: Watched,
    token: Token,
    keys: Option<(Client, ConsulKeys)>,
}

impl Reloader {
    /// For the configuration that the process starts with, and what it was read from. Nothing is watched before
    /// [`Reloader::run`].
    ///
    /// Fails when the configuration names keys in Consul and an agent that cannot be asked for them.
    pub fn new(sources: Sources, loaded: Loaded, check: Check, upkeep: Upkeep) -> Result<Self, AgentError> {
        let named = Config::consul_keys(&sources).ok().flatten();
        let (token, keys) = match (named, consul_settings(&loaded.config.consul)?) {
            (Some(keys), Some(settings)) => {
                (settings.token.clone(), Some((Client::new(&settings).map_err(AgentError::Settings)?, keys)))
            }
            _ => (Token::default(), None),
        };
        upkeep.set_config_generation(1);
        let files = Watched::new(loaded.files.clone());
        let live = watch::Sender::new(Arc::new(Generation { number: 1, loaded, refused: None, at_restart: Vec::new() }));
        Ok(Self { sources, check, upkeep, live, files, token, keys })
    }

    /// The configuration that runs.
    pub fn live(&self) -> Live {
        Live(self.live.subscribe())
    }

    /// Watches until it is dropped.
    pub async fn run(mut self) {
        let (mut keys, _tasks) = match self.keys.take() {
            Some((client, keys)) => keys::follow(client, keys.settings.into_iter().chain(keys.secrets).collect()),
            // A channel that nobody sends on, and that does not close.
            None => (mpsc::channel(1).1, JoinSet::new()),
        };
        // The configuration was read a while ago.
        self.reload().await;
        let mut looks = interval_at(Instant::now() + PERIOD, PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => if self.files.have_changed() {
                    self.reload().await;
                },
                Some(changed) = keys.recv() => self.take_key(changed).await,
            }
        }
    }

    async fn take_key(&mut self, keys::Changed { key, text }: keys::Changed) {
        let Some(text) = text else {
            if self.sources.consul.contains_key(&key) {
                self.refuse(format!("consul:{key}: the key has gone; what it held stays"));
            }
            return;
        };
        let held = self.sources.consul.insert(key, text.clone());
        if held.is_none_or(|held| held.expose_secret() != text.expose_secret()) {
            self.reload().await;
        }
    }

    /// Reads and checks everything, and takes it or says why not.
    async fn reload(&mut self) {
        let sources = self.sources.clone();
        // Files may be on a slow disk. Reading them does not panic; if the runtime ends, so does this.
        let Ok(read) = tokio::task::spawn_blocking(move || Config::load(&sources)).await else { return };
        let now = self.live.borrow().loaded.clone();
        let changed = read.and_then(|new| {
            (self.check)(&new)?;
            now.change_to(&new)
        });
        match changed {
            Ok(changed) => self.take(changed),
            Err(error) => {
                if let ConfigError::SecretFile { path, .. } = &error {
                    self.watch_also(path.clone());
                }
                self.refuse(error.to_string());
            }
        }
    }

    fn take(&mut self, changed: Changed) {
        let Changed { loaded, taken, at_restart } = changed;
        if !at_restart.is_empty() {
            let settings = at_restart.join(", ");
            tracing::warn!(settings, "these settings have another value now, which is taken when the process starts again");
        }
        if let Err(error) = self.token.replace(loaded.config.consul.token.as_ref()) {
            return self.refuse(format!("consul.token: {error}"));
        }
        self.files.watch(loaded.files.clone());
        let number = self.live.borrow().number + u64::from(!taken.is_empty());
        if !taken.is_empty() {
            tracing::info!(generation = number, settings = taken.join(", "), "the configuration has changed");
        }
        self.upkeep.set_config_generation(number);
        self.live.send_replace(Arc::new(Generation { number, loaded, refused: None, at_restart }));
    }

    fn refuse(&self, why: String) {
        tracing::error!(error = why, "a new configuration was refused: the one before stays");
        self.upkeep.count_config_reload_failure();
        self.live.send_modify(|generation| Arc::make_mut(generation).refused = Some(why));
    }

    /// A file that a refused configuration names and that is not there may come to be.
    fn watch_also(&mut self, file: PathBuf) {
        let mut files = self.live.borrow().loaded.files.clone();
        if !files.contains(&file) {
            files.push(file);
        }
        self.files.watch(files);
    }
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("generation", &self.live.borrow().number).finish_non_exhaustive()
    }
}
