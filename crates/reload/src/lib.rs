//! A configuration that changes while a process runs.
//!
//! # Problem
//!
//! A limit that is wrong, a log that says too little and a password that was rotated are all found when a restart is the
//! last thing anybody wants. And a new configuration with a mistake in it is worse than the old one.
//!
//! # Rule
//!
//! - What a configuration was read from is watched: its file and the files of its secrets by what they hold (so that an
//!   atomic rename and the symlinks of a Kubernetes ConfigMap are seen as well as an edit), and its keys in Consul by
//!   blocking queries. A file is read once it holds still.
//! - A new configuration is read and checked as a whole, like the first one. Then [`Loaded::change_to`] takes from it what
//!   changes while a process runs, and all of that becomes the next [`Generation`] at once. What changed otherwise is
//!   logged by name: it needs a restart.
//! - Whoever uses settings holds a [`Live`] and is told of each generation.
//!
//! # Recovery
//!
//! A configuration with a mistake is refused by the name of the setting: one line in the log, one count of
//! `weft_config_reload_failures_total`, and the generation before stays until there is a better one. While Consul does not
//! answer, what it held last stays. Settings that vanish with their key stay as well; an empty text takes them back.
//!
//! [`Loaded::change_to`]: weft_config::Loaded::change_to

mod agent;
mod files;
mod keys;
mod live;
mod reloader;

pub use agent::{AgentError, consul_settings, fetch};
pub use live::{Generation, Live};
pub use reloader::{Check, Reloader};
