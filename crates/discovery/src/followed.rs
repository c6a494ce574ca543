//! One task a domain that somebody asks for, which keeps its endpoints current.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::{runtime::Handle, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::Endpoints;

/// The domains that are followed. Dropping it ends their tasks, and with them their receivers' news.
#[derive(Debug)]
pub(crate) struct Followed {
    domains: Mutex<HashMap<String, watch::Receiver<Endpoints>>>,
    runtime: Handle,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Followed {
    /// Must be called within a Tokio runtime, which is to run the tasks.
    pub(crate) fn new() -> Self {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        Self { domains: Mutex::default(), runtime: Handle::current(), stop, _stop_on_drop: guard }
    }

    /// The domain's endpoints as they change; `follow` keeps them current from the first time on.
    pub(crate) fn receiver<F>(
        &self,
        domain: &str,
        follow: impl FnOnce(watch::Sender<Endpoints>) -> F,
    ) -> watch::Receiver<Endpoints>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = domains.get(domain) {
            return known.clone();
        }
        let (sender, receiver) = watch::channel(Endpoints::default());
        let (stop, task) = (self.stop.clone(), follow(sender));
        self.runtime.spawn(async move { stop.run_until_cancelled(task).await });
        domains.insert(domain.to_owned(), receiver.clone());
        receiver
    }
}
