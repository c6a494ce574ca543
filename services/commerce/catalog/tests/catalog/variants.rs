//! Variants are looked up in batches.

use uuid::Uuid;
use weft_contracts_catalog::{BatchGetVariantsRequest, CatalogReason};
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, fields, product};

on_both!(variants_come_in_the_order_asked_for, a_variant_that_does_not_exist_is_named, a_batch_has_its_limits);

async fn variants_come_in_the_order_asked_for(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, hat) = (shop.create(product("Shirt", &["A", "B"])).await, shop.create(product("Hat", &["C"])).await);
    let asked = [&hat.variants[0], &shirt.variants[1], &hat.variants[0], &shirt.variants[0]];
    // A UUID in capital letters is the same UUID.
    let ids = asked.iter().map(|variant| variant.id.to_uppercase()).collect();
    let call = shop.staff.call();
    let views = shop.catalog.batch_get_variants(&call, BatchGetVariantsRequest { ids }).await.unwrap().into_message().variants;
    let got: Vec<_> = views.iter().map(|view| view.variant.as_ref().unwrap()).collect();
    assert_eq!(got, asked);
    assert_eq!((views[0].product_name.as_str(), &views[0].product_id), ("Hat", &hat.id));
    assert_eq!((views[1].product_name.as_str(), &views[1].product_id), ("Shirt", &shirt.id));
}

async fn a_variant_that_does_not_exist_is_named(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.create(product("Shirt", &["A"])).await;
    let missing = Uuid::now_v7().to_string();
    let ids = vec![shirt.variants[0].id.clone(), missing.clone()];
    let error = shop.catalog.batch_get_variants(&shop.staff.call(), BatchGetVariantsRequest { ids }).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::VariantNotFound));
    assert_eq!(error.metadata()["variant_id"], missing);
}

async fn a_batch_has_its_limits(backend: Backend) {
    let shop = Shop::open(backend).await;
    let many = (0..101).map(|_| Uuid::now_v7().to_string()).collect();
    for (ids, field) in [(vec![], "ids"), (many, "ids"), (vec!["x".to_owned()], "ids[0]")] {
        let error = shop.catalog.batch_get_variants(&shop.staff.call(), BatchGetVariantsRequest { ids }).await.unwrap_err();
        assert_eq!((error.reason(), fields(&error)), (Some(MeshReason::ValidationFailed), vec![field]));
    }
}
