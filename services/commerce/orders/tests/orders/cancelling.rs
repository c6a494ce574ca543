//! Orders are cancelled, once and for all.

use std::time::Duration;

use uuid::Uuid;
use weft_contracts_orders::{CancelOrderRequest, Order, OrdersReason, order::State};
use weft_mesh::{Call, Error, MeshReason};
use weft_testkit::{Backend, on_both};

use crate::given::Shop;

on_both!(a_cancelled_order_stays_cancelled, another_version_is_not_cancelled, an_order_that_does_not_exist_is_not_cancelled);

async fn cancel(shop: &Shop, call: &Call, id: &str, etag: &str) -> Result<Order, Error> {
    let request = CancelOrderRequest { id: id.to_owned(), etag: etag.to_owned() };
    Ok(shop.orders.cancel_order(call, request).await?.into_message())
}

async fn a_cancelled_order_stays_cancelled(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let placed = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    shop.mesh.clock().advance(Duration::from_secs(1));
    let cancelled = cancel(&shop, &shop.customer.call(), &placed.id, &placed.etag).await.unwrap();
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!((&cancelled.lines, &cancelled.total), (&placed.lines, &placed.total));
    assert_ne!(cancelled.etag, placed.etag);
    assert_ne!(cancelled.update_time, placed.update_time);
    shop.mesh.clock().advance(Duration::from_secs(1));
    // The same call again, as if its answer had been lost.
    assert_eq!(cancel(&shop, &shop.customer.call(), &placed.id, &placed.etag).await.unwrap(), cancelled);
    assert_eq!(shop.get(&shop.customer, &placed.id).await.unwrap(), cancelled);
}

async fn another_version_is_not_cancelled(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let placed = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    for (call, etag) in [(shop.customer.call(), "\"7\""), (shop.customer.if_match("\"7\""), "")] {
        let error = cancel(&shop, &call, &placed.id, etag).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));
    }
    assert_eq!(shop.get(&shop.customer, &placed.id).await.unwrap(), placed);
    cancel(&shop, &shop.customer.if_match(&placed.etag), &placed.id, "").await.unwrap();
}

async fn an_order_that_does_not_exist_is_not_cancelled(backend: Backend) {
    let shop = Shop::open(backend).await;
    let error = cancel(&shop, &shop.staff.call(), &Uuid::now_v7().to_string(), "").await.unwrap_err();
    assert_eq!(error.reason(), Some(OrdersReason::OrderNotFound));
}
