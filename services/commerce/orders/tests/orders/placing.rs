//! Orders are placed at what the catalog says.

use uuid::Uuid;
use weft_contracts_catalog::{Product, UpdateProductRequest};
use weft_contracts_orders::{CreateOrderRequest, OrderedVariant, OrdersReason, order::State};
use weft_mesh::{Code, MeshReason};
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, fields, ordering};

on_both!(
    an_order_has_the_prices_and_names_of_the_catalog,
    an_order_keeps_its_prices_when_the_catalog_changes,
    an_order_of_what_does_not_exist_is_refused,
    an_order_in_two_currencies_is_refused,
    an_order_beyond_counting_is_refused,
    an_order_that_breaks_rules_is_refused_with_its_fields
);

async fn an_order_has_the_prices_and_names_of_the_catalog(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, hat) = (shop.sell("Shirt", 1999).await, shop.sell("Hat", 500).await);
    let request = CreateOrderRequest { note: "Ring twice.".to_owned(), ..ordering(&[(&shirt, 3), (&hat, 1)]) };
    let reply = shop.orders.create_order(&shop.customer.call(), request).await.unwrap();
    let order = &reply.message;
    assert_eq!(reply.status, Some(201));
    assert_eq!(reply.headers["location"], format!("/api/v1/orders/{}", order.id).as_str());
    assert_eq!((order.state(), order.note.as_str()), (State::Placed, "Ring twice."));
    assert_eq!(order.customer_id, shop.customer.id().to_string());
    assert_eq!(order.total.as_ref().map(|total| (total.currency_code.as_str(), total.minor_units)), Some(("EUR", 6497)));
    let line = &order.lines[0];
    assert_eq!((line.sku.as_str(), line.name.as_str(), line.quantity), ("Shirt", "Shirt, blue", 3));
    assert_eq!((&line.variant_id, &line.product_id), (&shirt.variants[0].id, &shirt.id));
    assert_eq!(line.unit_price, shirt.variants[0].price);
    assert_eq!(line.total.as_ref().map(|total| total.minor_units), Some(5997));
    assert_eq!(order.lines[1].sku, "Hat");
    assert_eq!(&shop.get(&shop.customer, &order.id).await.unwrap(), order);
}

async fn an_order_keeps_its_prices_when_the_catalog_changes(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let order = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    let mut dearer = Product { name: "Coat".to_owned(), ..shirt.clone() };
    dearer.variants[0].price.as_mut().unwrap().minor_units = 4999;
    let request = UpdateProductRequest { product: Some(dearer), update_mask: None };
    shop.catalog.update_product(&shop.staff.call(), request).await.unwrap();
    assert_eq!(shop.get(&shop.customer, &order.id).await.unwrap(), order);
    let next = shop.order(&shop.customer, &[(&shirt, 1)]).await.unwrap();
    assert_eq!(next.total.map(|total| total.minor_units), Some(4999));
}

async fn an_order_of_what_does_not_exist_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let mut request = ordering(&[(&shirt, 1)]);
    let missing = Uuid::now_v7().to_string();
    request.lines.push(OrderedVariant { variant_id: missing.clone(), quantity: 1 });
    let error = shop.orders.create_order(&shop.customer.call(), request).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::FailedPrecondition, Some(OrdersReason::VariantNotFound)));
    assert_eq!(error.metadata()["variant_id"], missing);
    assert!(shop.list(&shop.customer).await.is_empty());
}

async fn an_order_in_two_currencies_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (euro, dollar) = (shop.sell("Shirt", 1999).await, shop.sell_in("USD", "Hat", 500).await);
    let error = shop.order(&shop.customer, &[(&euro, 1), (&dollar, 1)]).await.unwrap_err();
    assert_eq!(error.reason(), Some(OrdersReason::CurrencyMixed));
    assert!(shop.list(&shop.customer).await.is_empty());
}

async fn an_order_beyond_counting_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let palace = shop.sell("Palace", 1_000_000_000_000_000).await;
    let error = shop.order(&shop.customer, &[(&palace, 10_000)]).await.unwrap_err();
    assert_eq!(error.reason(), Some(OrdersReason::TotalTooLarge));
    let order = shop.order(&shop.customer, &[(&palace, 9_000)]).await.unwrap();
    assert_eq!(order.total.map(|total| total.minor_units), Some(9_000_000_000_000_000_000));
}

async fn an_order_that_breaks_rules_is_refused_with_its_fields(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.sell("Shirt", 1999).await;
    let mut odd = ordering(&[(&shirt, 1)]);
    odd.lines[0].variant_id = "x".into();
    let long = CreateOrderRequest { note: "x".repeat(1001), ..ordering(&[(&shirt, 1)]) };
    let cases = [
        (ordering(&[]), vec!["lines"]),
        (ordering(&[(&shirt, 0), (&shirt, 10_001)]), vec!["lines[0].quantity", "lines[1].quantity"]),
        (ordering(&[(&shirt, 1), (&shirt, 2)]), vec!["lines[1].variant_id"]),
        (odd, vec!["lines[0].variant_id"]),
        (long, vec!["note"]),
    ];
    for (request, named) in cases {
        let error = shop.orders.create_order(&shop.customer.call(), request).await.unwrap_err();
        assert_eq!((error.reason(), fields(&error)), (Some(MeshReason::ValidationFailed), named));
    }
    assert!(shop.list(&shop.customer).await.is_empty());
}
