//! Several ways to find a domain, one before the other.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{Endpoints, Resolver};

/// Asks each layer in turn: the first that knows the domain answers for it, and the last answers for
/// those that none knows yet.
///
/// Which layer answers is settled when the domain is asked for: who watches a domain stays with the
/// layer that knew it then.
pub struct Layered {
    above: Vec<Arc<dyn Resolver>>,
    ground: Arc<dyn Resolver>,
}

impl Layered {
    /// `above` from the first to the last, then `ground`.
    pub fn new(above: Vec<Arc<dyn Resolver>>, ground: Arc<dyn Resolver>) -> Self {
        Self { above, ground }
    }
}

impl Resolver for Layered {
    fn watch(&self, domain: &str) -> watch::Receiver<Endpoints> {
        let known = |receiver: &watch::Receiver<Endpoints>| !receiver.borrow().is_empty();
        let above = self.above.iter().map(|layer| layer.watch(domain)).find(known);
        above.unwrap_or_else(|| self.ground.watch(domain))
    }
}

impl std::fmt::Debug for Layered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layered").field("above", &self.above.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::SocketAddr};

    use super::*;
    use crate::{Endpoint, InProcess, Static};

    #[test]
    fn a_stated_address_goes_before_the_process_own() {
        let stated = Endpoint::new("elsewhere", 1);
        let here = Arc::new(InProcess::default());
        let above: Arc<dyn Resolver> = Arc::new(Static::new(BTreeMap::from([("orders".to_owned(), stated.clone())])));
        let resolver = Layered::new(vec![above], Arc::clone(&here) as _);
        let address = SocketAddr::from(([127, 0, 0, 1], 2));
        here.register("orders", address);
        here.register("catalog", address);
        assert_eq!(resolver.endpoints("orders"), [stated]);
        assert_eq!(resolver.endpoints("catalog"), [address.into()]);
        assert!(resolver.endpoints("payments").is_empty());
    }
}
