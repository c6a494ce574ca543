//! Products are created and found again.

use uuid::Uuid;
use weft_contracts_catalog::{CatalogReason, CreateProductRequest, GetProductRequest, ListProductsRequest};
use weft_mesh::{Code, MeshReason};
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, fields, product};

on_both!(
    a_created_product_is_found_as_it_was_answered,
    a_repeat_with_one_key_creates_one_product,
    a_product_that_breaks_rules_is_refused_and_not_kept,
    a_sku_is_unique_in_its_tenant,
    of_many_products_with_one_sku_at_once_one_is_created,
    a_product_that_does_not_exist_is_not_found
);

async fn a_created_product_is_found_as_it_was_answered(backend: Backend) {
    let shop = Shop::open(backend).await;
    let wanted = product("Shirt", &["S-1", "S-2"]);
    let request = CreateProductRequest { product: Some(wanted.clone()) };
    let reply = shop.catalog.create_product(&shop.staff.call(), request).await.unwrap();
    let created = reply.message;
    assert_eq!(reply.status, Some(201));
    assert_eq!(reply.headers["location"], format!("/api/v1/products/{}", created.id).as_str());
    assert_eq!(Uuid::try_parse(&created.id).unwrap().get_version_num(), 7);
    assert_eq!((created.name.as_str(), created.variants.len()), ("Shirt", 2));
    assert_eq!(created.variants[1].price, wanted.variants[1].price);
    assert!(created.etag.starts_with('"') && created.create_time.is_some());

    let request = GetProductRequest { id: created.id.clone() };
    let found = shop.catalog.get_product(&shop.staff.call(), request).await.unwrap().into_message();
    assert_eq!(found, created);
}

async fn a_repeat_with_one_key_creates_one_product(backend: Backend) {
    let shop = Shop::open(backend).await;
    let request = CreateProductRequest { product: Some(product("Shirt", &["S"])) };
    let first = shop.catalog.create_product(&shop.staff.key("k"), request.clone()).await.unwrap();
    let second = shop.catalog.create_product(&shop.staff.key("k"), request).await.unwrap();
    assert_eq!((&first.message, first.status), (&second.message, second.status));
    assert_eq!(first.headers["location"], second.headers["location"]);

    let other = CreateProductRequest { product: Some(product("Hat", &["H"])) };
    let error = shop.catalog.create_product(&shop.staff.key("k"), other).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::IdempotencyKeyReused));
    assert_eq!(shop.list(ListProductsRequest::default()).await.unwrap().products.len(), 1);
}

async fn a_product_that_breaks_rules_is_refused_and_not_kept(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut dear = product("Shirt", &["S"]);
    dear.variants[0].price.as_mut().unwrap().minor_units = 1_000_000_000_000_001;
    let mut shells = product("Shirt", &["S"]);
    shells.variants[0].price.as_mut().unwrap().currency_code = "SHL".into();
    let cases = [
        (product("", &["S"]), "product.name"),
        (product("Shirt", &[]), "product.variants"),
        (product("Shirt", &["S", "S"]), "product.variants[1].sku"),
        (product("Shirt", &[""]), "product.variants[0].sku"),
        (dear, "product.variants[0].price.minor_units"),
        (shells, "product.variants[0].price.currency_code"),
        (product(&"x".repeat(201), &["S"]), "product.name"),
    ];
    for (wanted, field) in cases {
        let error = shop.try_create(wanted).await.unwrap_err();
        assert_eq!((error.reason(), fields(&error)[0]), (Some(MeshReason::ValidationFailed), field));
    }
    assert!(shop.list(ListProductsRequest::default()).await.unwrap().products.is_empty());
}

async fn a_sku_is_unique_in_its_tenant(backend: Backend) {
    let shop = Shop::open(backend).await;
    shop.create(product("Shirt", &["A", "B"])).await;
    let error = shop.try_create(product("Hat", &["C", "B"])).await.unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::AlreadyExists, Some(CatalogReason::SkuTaken)));
    assert_eq!(error.metadata()["sku"], "B");
    assert_eq!(shop.list(ListProductsRequest::default()).await.unwrap().products.len(), 1, "the hat is not kept");

    let elsewhere = CreateProductRequest { product: Some(product("Hat", &["B"])) };
    shop.catalog.create_product(&shop.stranger("staff").call(), elsewhere).await.unwrap();
}

async fn of_many_products_with_one_sku_at_once_one_is_created(backend: Backend) {
    let shop = Shop::open(backend).await;
    let creates: Vec<_> = (0..8)
        .map(|index| {
            let (catalog, call) = (shop.catalog.clone(), shop.staff.call());
            let request = CreateProductRequest { product: Some(product(&format!("Shirt {index}"), &["S"])) };
            tokio::spawn(async move { catalog.create_product(&call, request).await })
        })
        .collect();
    let mut created = 0;
    for create in creates {
        match create.await.unwrap() {
            Ok(_) => created += 1,
            Err(error) => assert_eq!(error.reason(), Some(CatalogReason::SkuTaken)),
        }
    }
    assert_eq!(created, 1);
    assert_eq!(shop.list(ListProductsRequest::default()).await.unwrap().products.len(), 1);
}

async fn a_product_that_does_not_exist_is_not_found(backend: Backend) {
    let shop = Shop::open(backend).await;
    let get = async |id: String| shop.catalog.get_product(&shop.staff.call(), GetProductRequest { id }).await.unwrap_err();
    assert_eq!(get(Uuid::now_v7().to_string()).await.reason(), Some(CatalogReason::ProductNotFound));
    let error = get("1".to_owned()).await;
    assert_eq!((error.reason(), fields(&error)), (Some(MeshReason::ValidationFailed), vec!["id"]));
}
