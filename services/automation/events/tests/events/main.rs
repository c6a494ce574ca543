//! Events through their contract, together with domains that publish, in a whole mesh, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures_util::StreamExt;
use prost::Message;
use secrecy::ExposeSecret;
use weft_contracts_catalog::{CatalogClient, CreateProductRequest, Product, ProductCreated, Variant};
use weft_contracts_events::{EventsClient, SubscribeRequest, SubscribeResponse};
use weft_contracts_orders::{CreateOrderRequest, OrderedVariant, OrdersClient};
use weft_contracts_type::Money;
use weft_mesh::{
    CallBuilder, Clock, Code, Error, Scope, Streaming, Subject,
    store::{Databases, Settings, Store},
};
use weft_testkit::{Backend, Caller, Mesh, on_both};

on_both!(
    whoever_follows_sees_what_happens_from_now_on_and_from_any_place,
    nobody_sees_another_tenant_or_what_the_contract_does_not_permit,
    what_cannot_be_asked_for_is_refused,
    what_is_older_than_the_retention_is_forgotten,
    what_tells_of_a_person_who_is_erased_is_forgotten,
);

const LIMIT: Duration = Duration::from_mins(1);

async fn open(backend: Backend) -> Mesh {
    Mesh::of([weft_catalog::domain(), weft_orders::domain(), weft_events_domain::domain()]).start(backend).await
}

async fn sell(mesh: &Mesh, staff: &Caller, sku: &str) -> Product {
    let price = Money { currency_code: "EUR".to_owned(), minor_units: 100 };
    let variant = Variant { sku: sku.to_owned(), name: "blue".to_owned(), price: Some(price), ..Variant::default() };
    let product = Product { name: sku.to_owned(), variants: vec![variant], ..Product::default() };
    let request = CreateProductRequest { product: Some(product) };
    mesh.client::<CatalogClient>().create_product(&staff.call(), request).await.unwrap().into_message()
}

async fn follow(mesh: &Mesh, who: &Caller, topics: &[&str], after: Option<i64>) -> Result<Streaming<SubscribeResponse>, Error> {
    let request = SubscribeRequest { topics: topics.iter().map(|topic| (*topic).to_owned()).collect(), after };
    Ok(mesh.client::<EventsClient>().subscribe(&who.call(), request).await?.into_message())
}

async fn next(events: &mut Streaming<SubscribeResponse>) -> SubscribeResponse {
    tokio::time::timeout(LIMIT, events.next()).await.expect("an event is awaited").unwrap().unwrap()
}

async fn whoever_follows_sees_what_happens_from_now_on_and_from_any_place(backend: Backend) {
    let mesh = open(backend).await;
    let staff = mesh.user(mesh.tenant(), "staff");
    let first = sell(&mesh, &staff, "first").await;
    let mut all = follow(&mesh, &staff, &[], Some(0)).await.unwrap();
    let seen = next(&mut all).await;
    let sold = ProductCreated::decode(&*seen.data.as_ref().unwrap().value).unwrap();
    assert_eq!((&seen.key, &sold.product_id, sold.name.as_str()), (&first.id, &first.id, "first"));
    assert_eq!((seen.topic.as_str(), seen.source.as_str()), ("events.product.created", "catalog"));
    assert_eq!(seen.data.unwrap().type_url, "type.googleapis.com/weft.catalog.v1.ProductCreated");
    let mut live = follow(&mesh, &staff, &["events.product.*"], None).await.unwrap();
    let second = sell(&mesh, &staff, "second").await;
    let third = sell(&mesh, &staff, "third").await;
    let (one, two) = (next(&mut live).await, next(&mut live).await);
    // Each has a key of its own: they may come in either order.
    let keys = [one.key.clone(), two.key.clone()];
    assert!(keys == [second.id.clone(), third.id.clone()] || keys == [third.id, second.id], "{keys:?}");
    assert!(seen.position < one.position && one.position < two.position);
    assert_eq!(next(&mut all).await, one);
    let mut again = follow(&mesh, &staff, &[], Some(one.position)).await.unwrap();
    assert_eq!(next(&mut again).await, two);
}

async fn nobody_sees_another_tenant_or_what_the_contract_does_not_permit(backend: Backend) {
    let mesh = open(backend).await;
    let (tenant, other) = (mesh.tenant(), mesh.tenant());
    let (staff, stranger) = (mesh.user(tenant, "staff"), mesh.user(other, "staff"));
    let nobody = mesh.user(tenant, "passer_by");
    let mut theirs = follow(&mesh, &stranger, &[], Some(0)).await.unwrap();
    let mut unseen = follow(&mesh, &nobody, &[], Some(0)).await.unwrap();
    let mut elsewhere = follow(&mesh, &staff, &["events.order.*"], Some(0)).await.unwrap();
    sell(&mesh, &staff, "ours").await;
    let foreign = sell(&mesh, &stranger, "theirs").await;
    assert_eq!(next(&mut theirs).await.key, foreign.id, "what comes first is their own");
    for nothing in [&mut theirs, &mut unseen, &mut elsewhere] {
        assert!(tokio::time::timeout(Duration::from_millis(500), nothing.next()).await.is_err());
    }
}

async fn what_cannot_be_asked_for_is_refused(backend: Backend) {
    let mesh = open(backend).await;
    let staff = mesh.user(mesh.tenant(), "staff");
    let many = ["events.a"; 17];
    let asked: [(&[&str], Option<i64>, &str); 4] =
        [(&["events.?"], None, "topics[0]"), (&many, None, "topics"), (&[], Some(-1), "after"), (&[], Some(1), "after")];
    for (topics, after, field) in asked {
        let refused = follow(&mesh, &staff, topics, after).await.err().unwrap();
        assert_eq!((refused.code(), refused.violations()[0].field.as_str()), (Code::InvalidArgument, field));
    }
    let stranger = mesh.client::<EventsClient>().subscribe(&mesh.anonymous(), SubscribeRequest::default()).await;
    assert_eq!(stranger.err().unwrap().code(), Code::Unauthenticated);
}

async fn what_is_older_than_the_retention_is_forgotten(backend: Backend) {
    let domains = [weft_catalog::domain(), weft_events_domain::domain()];
    let retention = Duration::from_hours(1);
    let clock = Clock::manual(Clock::system().now());
    let mesh = Mesh::of(domains).configure(move |config| config.events.retention = retention).clock(clock).start(backend).await;
    let staff = mesh.user(mesh.tenant(), "staff");
    sell(&mesh, &staff, "old").await;
    let old = next(&mut follow(&mesh, &staff, &[], Some(0)).await.unwrap()).await;
    mesh.clock().advance(retention * 2);
    mesh.run_job("events", "expire_record").await;
    // Their token is as old as the event.
    let staff = mesh.user(staff.tenant(), "staff");
    let mut events = follow(&mesh, &staff, &[], Some(0)).await.unwrap();
    let new = sell(&mesh, &staff, "new").await;
    let seen = next(&mut events).await;
    assert!(seen.key == new.id && seen.position > old.position, "{seen:?}");
}

/// The domain's own store, beside the mesh.
async fn store(mesh: &Mesh) -> Store {
    let config = mesh.running().config();
    let settings = match &config.database.url {
        Some(url) => Settings::postgres(url.expose_secret().to_owned().into()),
        None => Settings::sqlite(&config.data_dir),
    };
    Databases::open(&settings).await.unwrap().store(weft_events_domain::domain().schema()).await.unwrap()
}

async fn what_tells_of_a_person_who_is_erased_is_forgotten(backend: Backend) {
    let mesh = open(backend).await;
    let tenant = mesh.tenant();
    let (staff, ada, bob) = (mesh.user(tenant, "staff"), mesh.user(tenant, "customer"), mesh.user(tenant, "customer"));
    let product = sell(&mesh, &staff, "sold").await;
    let mut ordered = Vec::new();
    for (customer, key) in [(&ada, "ada"), (&bob, "bob")] {
        let line = OrderedVariant { variant_id: product.variants[0].id.clone(), quantity: 1 };
        let request = CreateOrderRequest { lines: vec![line], note: String::new() };
        let order = mesh.client::<OrdersClient>().create_order(&customer.key(key), request).await.unwrap();
        ordered.push(order.into_message());
    }
    let seen = async || {
        let mut all = follow(&mesh, &staff, &["events.order.*"], Some(0)).await.unwrap();
        let mut keys = vec![next(&mut all).await.key];
        while let Ok(event) = tokio::time::timeout(Duration::from_millis(500), all.next()).await {
            keys.push(event.unwrap().unwrap().key);
        }
        keys.sort();
        keys
    };
    let until_both = async { while seen().await.len() < 2 {} };
    tokio::time::timeout(LIMIT, until_both).await.expect("both orders are told of");

    let mut parts = CallBuilder::new(Clock::system());
    parts.scope = Scope::System("a test erases a person");
    let subject = Subject { tenant, user: ada.id() };
    weft_events_domain::domain().erase(&store(&mesh).await, None, &parts.build(), subject).await.unwrap();
    assert_eq!(seen().await, [ordered[1].id.clone()], "ada's order is told of no more");
}
