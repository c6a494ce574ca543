//! Who may see and change the catalog.

use weft_contracts_catalog::{
    BatchGetVariantsRequest, CatalogReason, CreateProductRequest, DeleteProductRequest, GetProductRequest, ListProductsRequest,
    Product,
};
use weft_mesh::{Code, MeshReason};
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, change, product};

on_both!(
    customers_see_the_catalog_and_do_not_change_it,
    without_credentials_nothing_is_shown,
    tenants_neither_see_nor_change_one_anothers_products
);

async fn customers_see_the_catalog_and_do_not_change_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let (catalog, customer) = (&shop.catalog, shop.mesh.user(shop.tenant, "customer"));
    let get = GetProductRequest { id: created.id.clone() };
    assert_eq!(catalog.get_product(&customer.call(), get).await.unwrap().message, created);

    let create = CreateProductRequest { product: Some(product("Hat", &["H"])) };
    let delete = DeleteProductRequest { id: created.id.clone(), etag: String::new() };
    let wanted = Product { name: "Hat".to_owned(), ..created.clone() };
    let errors = [
        catalog.create_product(&customer.call(), create).await.unwrap_err(),
        catalog.update_product(&customer.call(), change(wanted, &["name"])).await.unwrap_err(),
        catalog.delete_product(&customer.call(), delete).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.code(), error.reason()), (Code::PermissionDenied, Some(MeshReason::PermissionMissing)));
    }
    assert_eq!(shop.list(ListProductsRequest::default()).await.unwrap().products, [created]);
}

async fn without_credentials_nothing_is_shown(backend: Backend) {
    let shop = Shop::open(backend).await;
    let error = shop.catalog.list_products(&shop.mesh.anonymous(), ListProductsRequest::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
}

async fn tenants_neither_see_nor_change_one_anothers_products(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let (catalog, stranger) = (&shop.catalog, shop.stranger("owner"));
    let listed = catalog.list_products(&stranger.call(), ListProductsRequest::default()).await.unwrap();
    assert!(listed.message.products.is_empty());

    let get = GetProductRequest { id: created.id.clone() };
    let delete = DeleteProductRequest { id: created.id.clone(), etag: String::new() };
    let wanted = Product { name: "Hat".to_owned(), ..created.clone() };
    for error in [
        catalog.get_product(&stranger.call(), get).await.unwrap_err(),
        catalog.update_product(&stranger.call(), change(wanted, &["name"])).await.unwrap_err(),
        catalog.delete_product(&stranger.call(), delete).await.unwrap_err(),
    ] {
        assert_eq!(error.reason(), Some(CatalogReason::ProductNotFound));
    }
    let batch = BatchGetVariantsRequest { ids: vec![created.variants[0].id.clone()] };
    let error = catalog.batch_get_variants(&stranger.call(), batch).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::VariantNotFound));
    assert_eq!(shop.list(ListProductsRequest::default()).await.unwrap().products, [created]);
}
