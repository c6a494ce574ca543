//! Without the catalog nothing is ordered, and what was ordered can be read.

use weft_contracts_catalog::CatalogContract;
use weft_contracts_orders::{CreateOrderRequest, ListOrdersRequest, OrderedVariant, OrdersClient};
use weft_mesh::{Code, call::Declares};
use weft_testkit::{Backend, Mesh, on_both};

on_both!(an_order_is_refused_while_the_catalog_is_down);

async fn an_order_is_refused_while_the_catalog_is_down(backend: Backend) {
    let without_catalog = Mesh::of([weft_orders::domain()]).knowing([CatalogContract::CONTRACT]).configure(|config| {
        // Nobody listens on this port (RFC 6335 keeps it for tcpmux).
        config.mesh.upstreams.insert("catalog".to_owned(), "127.0.0.1:1".parse().unwrap());
    });
    let mesh = without_catalog.start(backend).await;
    let orders: OrdersClient = mesh.client();
    let customer = mesh.user(mesh.tenant(), "customer");
    let line = OrderedVariant { variant_id: uuid::Uuid::now_v7().to_string(), quantity: 1 };
    let request = CreateOrderRequest { lines: vec![line], note: String::new() };
    for key in ["k", "k", "l"] {
        let error = orders.create_order(&customer.key(key), request.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
    }
    let listed = orders.list_orders(&customer.call(), ListOrdersRequest::default()).await.unwrap();
    assert!(listed.message.orders.is_empty());
}
