//! Orders are listed, newest first, a page at a time.

use std::time::Duration;

use weft_contracts_orders::{CancelOrderRequest, ListOrdersRequest, ListOrdersResponse, order::State};
use weft_mesh::{Error, MeshReason};
use weft_testkit::{Backend, Caller, on_both};

use crate::given::{Shop, fields};

on_both!(
    pages_hold_every_order_once_newest_first,
    a_list_can_be_of_one_state,
    a_page_token_goes_with_its_tenant_state_and_customer
);

async fn page(shop: &Shop, who: &Caller, page_size: i32, state: State, token: &str) -> Result<ListOrdersResponse, Error> {
    let request =
        ListOrdersRequest { page_size, page_token: token.to_owned(), state: state.into(), ..ListOrdersRequest::default() };
    Ok(shop.orders.list_orders(&who.call(), request).await?.into_message())
}

/// Seven orders of the customer's; the last three in one moment. Newest first.
async fn seven(shop: &Shop) -> Vec<String> {
    let (shirt, hat) = (shop.sell("Shirt", 1999).await, shop.sell("Hat", 500).await);
    let mut ids = Vec::new();
    for index in 0..7 {
        if index < 5 {
            shop.mesh.clock().advance(Duration::from_secs(1));
        }
        ids.push(shop.order(&shop.customer, &[(&shirt, 1), (&hat, 2)]).await.unwrap().id);
    }
    ids.reverse();
    ids
}

async fn pages_hold_every_order_once_newest_first(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ids = seven(&shop).await;
    for who in [&shop.customer, &shop.staff] {
        for page_size in [1, 2, 3, 7, 8] {
            let (mut listed, mut token) = (Vec::new(), String::new());
            loop {
                let page = page(&shop, who, page_size, State::Unspecified, &token).await.unwrap();
                assert!(page.orders.iter().all(|order| order.lines.len() == 2));
                listed.extend(page.orders.into_iter().map(|order| order.id));
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(listed, ids, "pages of {page_size}");
        }
    }
}

async fn a_list_can_be_of_one_state(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ids = seven(&shop).await;
    for id in &ids[..2] {
        let request = CancelOrderRequest { id: id.clone(), etag: String::new() };
        shop.orders.cancel_order(&shop.customer.call(), request).await.unwrap();
    }
    for who in [&shop.customer, &shop.staff] {
        for (state, expected) in [(State::Cancelled, &ids[..2]), (State::Placed, &ids[2..]), (State::Unspecified, &ids[..])] {
            let listed = page(&shop, who, 0, state, "").await.unwrap().orders;
            assert_eq!(listed.iter().map(|order| &order.id).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        }
    }
    let unknown = ListOrdersRequest { state: 99, ..ListOrdersRequest::default() };
    let error = shop.orders.list_orders(&shop.customer.call(), unknown).await.unwrap_err();
    assert_eq!(fields(&error), ["state"]);
}

async fn a_page_token_goes_with_its_tenant_state_and_customer(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ids = seven(&shop).await;
    let token = page(&shop, &shop.customer, 3, State::Placed, "").await.unwrap().next_page_token;
    let (neighbour, stranger) = (shop.neighbour(), shop.mesh.user(shop.mesh.tenant(), "customer"));
    let damaged = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    let wrong = [
        (&shop.customer, State::Unspecified, &token),
        (&shop.customer, State::Cancelled, &token),
        (&shop.staff, State::Placed, &token),
        (&neighbour, State::Placed, &token),
        (&stranger, State::Placed, &token),
        (&shop.customer, State::Placed, &damaged),
    ];
    for (who, state, token) in wrong {
        let error = page(&shop, who, 3, state, token).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::PageTokenInvalid), "{state:?} {token}");
    }
    let next = page(&shop, &shop.customer, 3, State::Placed, &token).await.unwrap();
    assert_eq!(next.orders.iter().map(|order| &order.id).collect::<Vec<_>>(), ids[3..6].iter().collect::<Vec<_>>());
}
