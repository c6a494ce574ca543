//! Who may see and cancel which orders.

use weft_contracts_orders::{CancelOrderRequest, ListOrdersRequest, OrdersReason, order::State};
use weft_mesh::{Code, Error};
use weft_testkit::{Backend, Caller, on_both};

use crate::given::{Shop, ordering};

on_both!(
    customers_reach_their_own_orders_and_no_others,
    staff_reach_all_orders_of_their_tenant,
    tenants_do_not_reach_one_anothers_orders_or_products,
    without_credentials_nothing_is_shown,
    programs_do_not_order
);

async fn cancel(shop: &Shop, who: &Caller, id: &str) -> Result<State, Error> {
    let request = CancelOrderRequest { id: id.to_owned(), etag: String::new() };
    Ok(shop.orders.cancel_order(&who.call(), request).await?.message.state())
}

/// An order that the caller does not reach looks like one that does not exist.
async fn assert_out_of_reach(shop: &Shop, who: &Caller, id: &str) {
    let nothing = shop.get(who, &uuid::Uuid::now_v7().to_string()).await.unwrap_err();
    for error in [shop.get(who, id).await.unwrap_err(), cancel(shop, who, id).await.unwrap_err()] {
        assert_eq!((error.code(), error.reason()), (Code::NotFound, Some(OrdersReason::OrderNotFound)));
        assert_eq!((error.message(), error.metadata()), (nothing.message(), nothing.metadata()));
    }
}

async fn customers_reach_their_own_orders_and_no_others(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, neighbour) = (shop.sell("Shirt", 1999).await, shop.neighbour());
    let mine = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    let theirs = shop.order(&neighbour, &[(&shirt, 2)]).await.unwrap();
    assert_out_of_reach(&shop, &shop.customer, &theirs.id).await;
    assert_out_of_reach(&shop, &neighbour, &mine.id).await;
    assert_eq!(shop.list(&shop.customer).await, [mine]);
    assert_eq!(shop.list(&neighbour).await, [theirs]);
}

async fn staff_reach_all_orders_of_their_tenant(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let order = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    for role in ["staff", "owner"] {
        let who = shop.mesh.user(shop.tenant, role);
        assert_eq!(shop.get(&who, &order.id).await.unwrap(), order);
        assert_eq!(shop.list(&who).await.len(), 1);
    }
    assert_eq!(cancel(&shop, &shop.staff, &order.id).await.unwrap(), State::Cancelled);
    let programs = shop.mesh.service_account(shop.tenant, "staff");
    assert_eq!(shop.list(&programs).await.len(), 1);
}

async fn tenants_do_not_reach_one_anothers_orders_or_products(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let order = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    let stranger = shop.mesh.user(shop.mesh.tenant(), "owner");
    assert_out_of_reach(&shop, &stranger, &order.id).await;
    assert!(shop.list(&stranger).await.is_empty());
    let error = shop.order(&stranger, &[(&shirt, 1)]).await.unwrap_err();
    assert_eq!(error.reason(), Some(OrdersReason::VariantNotFound));
    assert_eq!(shop.get(&shop.customer, &order.id).await.unwrap(), order);
}

async fn without_credentials_nothing_is_shown(backend: Backend) {
    let shop = Shop::open(backend).await;
    let error = shop.orders.list_orders(&shop.mesh.anonymous(), ListOrdersRequest::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
}

async fn programs_do_not_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, program) = (shop.sell("Shirt", 1999).await, shop.mesh.service_account(shop.tenant, "staff"));
    let error = shop.orders.create_order(&program.call(), ordering(&[(&shirt, 1)])).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated, "an order is a person's");
    assert!(shop.list(&shop.staff).await.is_empty());
}
