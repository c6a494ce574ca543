//! A domain hears what happened in another, in a whole mesh.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use uuid::Uuid;
use weft_call::{BoxFuture, Declares, MethodContract, Payload, Replays, Serves, Service, ServiceContract};
use weft_contracts_catalog::{CatalogClient, CreateProductRequest, Product, ProductCreated, Variant};
use weft_contracts_type::Money;
use weft_mesh::{
    Call, Contract, Domain, Error, MeshReason, Principal, Reply, Result, Runtime, Scope, StartError, TopicPattern,
    events::Envelope, store::Tx,
};
use weft_testkit::{Backend, Mesh, on_both};

on_both!(a_domain_hears_what_happened_in_another_as_type_and_by_pattern);

/// The contract of a domain that nobody calls.
struct EarContract;

static SERVICE: ServiceContract =
    ServiceContract { name: "weft.ear.v1.Ear", domain: "ear", calls: &[], permissions: &[], methods: &[] };
static CONTRACT: Contract = Contract {
    domain: "ear",
    package: "weft.ear.v1",
    services: std::slice::from_ref(&SERVICE),
    reasons: &[],
    events: &[],
    descriptor_set: &[],
};

impl Declares for EarContract {
    const CONTRACT: &'static Contract = &CONTRACT;
}

impl Serves<Ear> for EarContract {
    fn service(handler: Arc<Ear>) -> Arc<dyn Service> {
        handler
    }
}

/// What was heard.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    what: String,
    key: String,
    scope: Scope,
    principal: Principal,
    request_id: String,
    causation: Option<Uuid>,
}

#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Service for Ear {
    fn contract(&self) -> &'static ServiceContract {
        &SERVICE
    }

    fn handle<'a>(
        &'a self,
        _: &'static MethodContract,
        _: Call,
        _: Payload,
        _: &'a dyn Replays,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        Box::pin(async { Err(Error::new(MeshReason::MethodUnknown, "nobody calls it")) })
    }
}

impl Ear {
    async fn product_created(&self, call: &Call, tx: &Tx, event: ProductCreated) -> Result<()> {
        self.note(call, tx, format!("created {}", event.name), event.product_id).await
    }

    async fn anything(&self, call: &Call, tx: &Tx, event: Envelope) -> Result<()> {
        assert_eq!(call.causation(), Some(event.id));
        self.note(call, tx, event.topic, event.key).await
    }

    async fn note(&self, call: &Call, tx: &Tx, what: String, key: String) -> Result<()> {
        // In the transaction that hears: it is the tenant's, and may write.
        assert_eq!(tx.scope(), call.scope());
        tokio::task::yield_now().await;
        let (scope, principal, causation) = (call.scope(), call.principal().clone(), call.causation());
        let request_id = call.request_id().to_string();
        self.heard.lock().unwrap().push(Heard { what, key, scope, principal, request_id, causation });
        Ok(())
    }

    fn domain(&self) -> Domain {
        let ear = self.clone();
        Domain::new::<EarContract>()
            .serve(move |_| ear)
            .on(Self::product_created)
            .on_all(TopicPattern::parse("events.product.*").unwrap(), Self::anything)
            .build()
    }
}

fn teapot() -> CreateProductRequest {
    let price = Money { currency_code: "EUR".to_owned(), minor_units: 1250 };
    let variant = Variant { sku: "TEA-1".to_owned(), price: Some(price), ..Variant::default() };
    let product = Product { name: "Teapot".to_owned(), variants: vec![variant], ..Product::default() };
    CreateProductRequest { product: Some(product) }
}

async fn a_domain_hears_what_happened_in_another_as_type_and_by_pattern(backend: Backend) {
    let ear = Ear::default();
    let mesh = Mesh::of([weft_catalog::domain(), ear.domain()]).start(backend).await;
    let (tenant, catalog) = (mesh.tenant(), mesh.client::<CatalogClient>());
    let call = mesh.user(tenant, "staff").call();
    let product = catalog.create_product(&call, teapot()).await.unwrap().into_message();
    let heard = || ear.heard.lock().unwrap().clone();
    let waiting = async {
        while heard().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap();
    mesh.stop().await;
    let heard = heard();
    assert_eq!(heard.iter().map(|heard| heard.what.as_str()).collect::<Vec<_>>(), ["created Teapot", "events.product.created"]);
    for one in &heard {
        assert_eq!((&one.key, one.scope), (&product.id, Scope::Tenant(tenant)));
        assert!(matches!(one.principal, Principal::Job { domain: "ear", .. }));
        assert_eq!(one.request_id, call.request_id().as_str());
        assert!(one.causation.is_some() && one.causation == heard[0].causation);
    }
}

#[tokio::test]
async fn events_that_leave_the_process_need_a_carrier() {
    let ear = Ear::default();
    let folder = tempfile::tempdir().unwrap();
    let config = weft_config::Config { data_dir: folder.path().to_owned(), ..weft_config::Config::default() };
    let (here, elsewhere) = (vec![weft_catalog::domain()], [ear.domain()]);
    let mut runtime = Runtime::new(config, here);
    runtime.subscriptions = weft_mesh::subscriptions(&elsewhere);
    let error = runtime.start().await.map(drop).unwrap_err();
    assert!(matches!(error, StartError::EventsInProcess { .. }));
    let told = "events.product.created goes from catalog to ear, only one of which is in this process: set events.url";
    assert_eq!(error.to_string(), told);
}
