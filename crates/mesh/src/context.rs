//! What a domain's handler is made of.

use std::{marker::PhantomData, sync::Arc};

use serde::de::DeserializeOwned;
use weft_blob::{BlobStore, Blobs};
use weft_call::{
    BoxFuture, Call, Calls, Client, Clock, Contract, Declares, Error, MethodContract, Payload, Reply, Result, Upstream,
};
use weft_config::Config;
use weft_saga::{Conductor, Sagas};
use weft_seal::Sealer;
use weft_store::Store;
use weft_transport::{TransportError, Upstreams};

use crate::StartError;

/// What the mesh gives to a domain when it starts.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) upstreams: Upstreams,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
    pub(crate) contracts: Vec<&'static Contract>,
    pub(crate) sealer: Option<Sealer>,
    pub(crate) blobs: Option<BlobStore>,
    pub(crate) sagas: Sagas,
}

impl Parts {
    /// What conducts the domain's sagas, without any yet.
    pub(crate) fn conductor(&self) -> Conductor {
        Conductor::new(self.store.clone(), self.sagas.clone(), self.clock.clone(), self.config.jobs.lease)
    }
}

/// What a domain with the contract `C` makes its handler of.
pub struct Context<'a, C> {
    parts: &'a Parts,
    contract: PhantomData<C>,
}

impl<'a, C: Declares> Context<'a, C> {
    pub(crate) fn new(parts: &'a Parts) -> Self {
        Self { parts, contract: PhantomData }
    }

    /// The domain's records.
    pub fn store(&self) -> Store {
        self.parts.store.clone()
    }

    /// A client of another domain. Only what the contract declares in `calls` compiles:
    ///
    /// ```
    /// # use {weft_contracts_catalog::CatalogClient, weft_contracts_orders::OrdersContract, weft_mesh::Context};
    /// fn wire(cx: &Context<'_, OrdersContract>) -> CatalogClient {
    ///     cx.client()
    /// }
    /// ```
    ///
    /// The catalog declares no call of orders:
    ///
    /// ```compile_fail,E0277
    /// # use {weft_contracts_catalog::CatalogContract, weft_contracts_orders::OrdersClient, weft_mesh::Context};
    /// fn wire(cx: &Context<'_, CatalogContract>) -> OrdersClient {
    ///     cx.client()
    /// }
    /// ```
    pub fn client<K: Client>(&self) -> K
    where
        C: Calls<K>,
    {
        let upstream = self.parts.upstreams.upstream(K::SERVICE.domain);
        // A workload name or certificate that is missing was found when the process started; what is
        // left is reported by the calls themselves.
        K::over(upstream.unwrap_or_else(|error| Arc::new(Unusable(Arc::new(error)))))
    }

    /// The domain's own settings, from `[domains.NAME]`.
    pub fn settings<T: DeserializeOwned + Default>(&self) -> Result<T, StartError> {
        Ok(self.parts.config.domains.read(C::CONTRACT.domain)?)
    }

    /// The configuration of the process.
    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    /// Where the handler begins sagas, whose definitions [`crate::ServedDomain::saga`] adds.
    pub fn sagas(&self) -> Sagas {
        self.parts.sagas.clone()
    }

    /// What secrets at rest are sealed with; nothing where no key is configured and the database is shared.
    pub fn sealer(&self) -> Option<Sealer> {
        self.parts.sealer.clone()
    }

    /// The domain's files; nothing where the database is shared and the configuration names no place for files.
    pub fn blobs(&self) -> Option<Blobs> {
        self.parts.blobs.as_ref().map(|blobs| blobs.of(C::CONTRACT.domain))
    }

    /// The contracts of every domain of the mesh, here or elsewhere.
    pub fn contracts(&self) -> Vec<&'static Contract> {
        self.parts.contracts.clone()
    }

    /// The time of day.
    pub fn clock(&self) -> Clock {
        self.parts.clock.clone()
    }
}

impl<C: Declares> std::fmt::Debug for Context<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&C::CONTRACT.domain).finish()
    }
}

/// A domain that cannot be connected to; every call says why.
struct Unusable(Arc<TransportError>);

impl Upstream for Unusable {
    fn call<'a>(&'a self, _: &'a Call, _: &'static MethodContract, _: Payload) -> BoxFuture<'a, Result<Reply<Payload>>> {
        let error = Arc::clone(&self.0);
        Box::pin(async move { Err(Error::internal(error)) })
    }
}
