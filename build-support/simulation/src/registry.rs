//! The registry that callers ask: it says what the schedule has it say.

use tokio::sync::watch;
use weft_discovery::{Endpoint, Endpoints, Resolver};

/// One list of endpoints, for the one domain.
pub(crate) struct Registry(watch::Sender<Endpoints>);

impl Registry {
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self(watch::Sender::new(endpoints.into_iter().collect()))
    }

    /// What the registry says from now on.
    pub(crate) fn publish(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        self.0.send_replace(endpoints.into_iter().collect());
    }
}

impl Resolver for Registry {
    fn watch(&self, _: &str) -> watch::Receiver<Endpoints> {
        self.0.subscribe()
    }
}
