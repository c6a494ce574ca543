//! A key makes one order, however often it comes.

use weft_contracts_catalog::DeleteProductRequest;
use weft_contracts_orders::Order;
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, ordering};

on_both!(
    a_repeat_gets_the_same_order_even_if_the_product_is_gone,
    a_key_does_not_order_something_else,
    a_key_is_its_callers_own,
    sixteen_twins_make_one_order
);

async fn a_repeat_gets_the_same_order_even_if_the_product_is_gone(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let first = shop.orders.create_order(&shop.customer.key("k"), ordering(&[(&shirt, 2)])).await.unwrap();
    let delete = DeleteProductRequest { id: shirt.id.clone(), etag: String::new() };
    shop.catalog.delete_product(&shop.staff.call(), delete).await.unwrap();
    shop.order(&shop.customer, &[(&shirt, 2)]).await.unwrap_err();

    let second = shop.orders.create_order(&shop.customer.key("k"), ordering(&[(&shirt, 2)])).await.unwrap();
    assert_eq!((&second.message, second.status), (&first.message, Some(201)));
    assert_eq!(second.headers["location"], first.headers["location"]);
    assert_eq!(shop.list(&shop.customer).await, [first.message]);
}

async fn a_key_does_not_order_something_else(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    shop.orders.create_order(&shop.customer.key("k"), ordering(&[(&shirt, 2)])).await.unwrap();
    let error = shop.orders.create_order(&shop.customer.key("k"), ordering(&[(&shirt, 3)])).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::IdempotencyKeyReused));
    assert_eq!(shop.list(&shop.customer).await.len(), 1);
}

async fn a_key_is_its_callers_own(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, neighbour) = (shop.sell("Shirt", 1999).await, shop.neighbour());
    let mine = shop.orders.create_order(&shop.customer.key("k"), ordering(&[(&shirt, 2)])).await.unwrap().into_message();
    let theirs = shop.orders.create_order(&neighbour.key("k"), ordering(&[(&shirt, 2)])).await.unwrap().into_message();
    assert_ne!(mine.id, theirs.id);
    assert_eq!(theirs.customer_id, neighbour.id().to_string());
}

async fn sixteen_twins_make_one_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let twins: Vec<_> = (0..16)
        .map(|_| {
            let (orders, call, request) = (shop.orders.clone(), shop.customer.key("k"), ordering(&[(&shirt, 2)]));
            tokio::spawn(async move { orders.create_order(&call, request).await })
        })
        .collect();
    let mut placed: Vec<Order> = Vec::new();
    for twin in twins {
        placed.push(twin.await.unwrap().unwrap().into_message());
    }
    assert!(placed.iter().all(|order| *order == placed[0]));
    assert_eq!(shop.list(&shop.customer).await, placed[..1]);
}
