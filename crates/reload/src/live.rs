//! The configuration that runs, for those who use it.

use std::sync::Arc;

use tokio::sync::watch;
use weft_config::{Config, Loaded};

/// A configuration that runs, or ran.
#[derive(Clone, Debug)]
pub struct Generation {
    /// 1 for the configuration that the process started with; one more for each that was taken since.
    pub number: u64,
    /// The configuration.
    pub loaded: Loaded,
    /// Why the newest configuration was refused, if it was.
    pub refused: Option<String>,
    /// The settings whose newest value is taken when the process starts again.
    pub at_restart: Vec<String>,
}

/// The configuration that runs now. Clones follow it by themselves.
#[derive(Clone, Debug)]
pub struct Live(pub(crate) watch::Receiver<Arc<Generation>>);

impl Live {
    /// The generation that runs now.
    pub fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.0.borrow())
    }

    /// Calls `apply` with each configuration that is taken from now on, until the process reloads no more.
    pub async fn follow(mut self, mut apply: impl FnMut(&Config)) {
        let mut applied = self.0.borrow_and_update().number;
        while self.0.changed().await.is_ok() {
            let generation = Arc::clone(&self.0.borrow_and_update());
            if generation.number != applied {
                applied = generation.number;
                apply(&generation.loaded.config);
            }
        }
    }

    /// The configuration that runs, for people: a line for each value with its source, and what of the newest one was not
    /// taken. It holds no secret.
    pub fn render(&self) -> String {
        let generation = self.generation();
        let Generation { number, loaded, refused, at_restart } = &*generation;
        let refused = refused.as_ref().map(|why| format!("# the newest was refused: {why}\n")).unwrap_or_default();
        let restart = if at_restart.is_empty() {
            String::new()
        } else {
            format!("# taken when the process starts again: {}\n", at_restart.join(", "))
        };
        format!("# generation {number}\n{refused}{restart}{}", loaded.render())
    }
}
