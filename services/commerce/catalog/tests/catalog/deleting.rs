//! Products end.

use weft_contracts_catalog::{CatalogReason, DeleteProductRequest, GetProductRequest};
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, product};

on_both!(a_deleted_product_is_gone_and_its_sku_is_free, a_repeat_with_one_key_deletes_once, another_version_is_not_deleted);

async fn a_deleted_product_is_gone_and_its_sku_is_free(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let delete = DeleteProductRequest { id: created.id.clone(), etag: created.etag };
    shop.catalog.delete_product(&shop.staff.call(), delete.clone()).await.unwrap();
    let error = shop.catalog.get_product(&shop.staff.call(), GetProductRequest { id: created.id }).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::ProductNotFound));
    let error = shop.catalog.delete_product(&shop.staff.call(), delete).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::ProductNotFound));
    shop.create(product("Hat", &["S"])).await;
}

async fn a_repeat_with_one_key_deletes_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let delete = DeleteProductRequest { id: created.id, etag: String::new() };
    for _ in 0..2 {
        shop.catalog.delete_product(&shop.staff.key("k"), delete.clone()).await.unwrap();
    }
}

async fn another_version_is_not_deleted(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let delete = |etag: &str| DeleteProductRequest { id: created.id.clone(), etag: etag.to_owned() };
    for (call, request) in [(shop.staff.call(), delete("\"9\"")), (shop.staff.if_match("\"9\""), delete(""))] {
        let error = shop.catalog.delete_product(&call, request).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));
    }
    shop.catalog.delete_product(&shop.staff.if_match(&created.etag), delete("")).await.unwrap();
}
