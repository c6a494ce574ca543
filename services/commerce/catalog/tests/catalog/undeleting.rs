//! Deleted products come back. How they are purged stands in `src/service/tests.rs`: a month is longer than a certificate lives.

use weft_contracts_catalog::{
    BatchGetVariantsRequest, CatalogReason, DeleteProductRequest, ListProductsRequest, Product, UndeleteProductRequest,
};
use weft_mesh::{Error, MeshReason};
use weft_testkit::{Backend, Caller, on_both};

use crate::given::{Shop, product, skus};

on_both!(
    a_deleted_product_is_shown_to_who_may_undelete_it_and_comes_back,
    what_is_not_deleted_is_not_undeleted_and_another_tenants_neither,
    a_sku_that_was_taken_meanwhile_keeps_its_product_deleted
);

async fn delete(shop: &Shop, product: &Product) {
    let request = DeleteProductRequest { id: product.id.clone(), etag: String::new() };
    shop.catalog.delete_product(&shop.staff.call(), request).await.unwrap();
}

async fn undelete(shop: &Shop, who: &Caller, product: &Product, etag: &str) -> Result<Product, Error> {
    let request = UndeleteProductRequest { id: product.id.clone(), etag: etag.to_owned() };
    Ok(shop.catalog.undelete_product(&who.call(), request).await?.into_message())
}

/// What is listed, deleted products included.
async fn all(shop: &Shop) -> Vec<Product> {
    shop.list(ListProductsRequest { show_deleted: true, ..ListProductsRequest::default() }).await.unwrap().products
}

async fn visible(shop: &Shop) -> Vec<Product> {
    shop.list(ListProductsRequest::default()).await.unwrap().products
}

async fn a_deleted_product_is_shown_to_who_may_undelete_it_and_comes_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shirt, hat) = (shop.create(product("Shirt", &["S", "M"])).await, shop.create(product("Hat", &["H"])).await);
    delete(&shop, &shirt).await;
    assert_eq!(visible(&shop).await, std::slice::from_ref(&hat));
    let listed = all(&shop).await;
    assert_eq!((listed.len(), &listed[1]), (2, &hat));
    let deleted = &listed[0];
    let [delete_time, purge_time] = [&deleted.delete_time, &deleted.purge_time].map(|time| time.as_ref().unwrap().seconds);
    assert_eq!(purge_time - delete_time, 30 * 24 * 60 * 60);
    assert_eq!((skus(deleted), deleted.etag == shirt.etag), (vec!["S", "M"], false));

    let request =
        ListProductsRequest { filter: "delete_time:*".to_owned(), show_deleted: true, ..ListProductsRequest::default() };
    assert_eq!(shop.list(request).await.unwrap().products, listed[..1]);

    let customer = shop.mesh.user(shop.tenant, "customer");
    let request = ListProductsRequest { show_deleted: true, ..ListProductsRequest::default() };
    let error = shop.catalog.list_products(&customer.call(), request).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::PermissionMissing));
    let ordered = BatchGetVariantsRequest { ids: vec![shirt.variants[0].id.clone()] };
    let error = shop.catalog.batch_get_variants(&customer.call(), ordered.clone()).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::VariantNotFound));

    let error = undelete(&shop, &shop.staff, &shirt, &shirt.etag).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));
    let again = undelete(&shop, &shop.staff, &shirt, &deleted.etag).await.unwrap();
    assert_eq!((&again.variants, &again.delete_time, &again.purge_time), (&shirt.variants, &None, &None));
    assert_eq!(visible(&shop).await, [again, hat]);
    assert!(shop.catalog.batch_get_variants(&customer.call(), ordered).await.is_ok());
}

async fn what_is_not_deleted_is_not_undeleted_and_another_tenants_neither(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.create(product("Shirt", &["S"])).await;
    let error = undelete(&shop, &shop.staff, &shirt, "").await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::ProductNotDeleted));
    delete(&shop, &shirt).await;
    let error = undelete(&shop, &shop.stranger("owner"), &shirt, "").await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::ProductNotFound));
    let customer = shop.mesh.user(shop.tenant, "customer");
    let error = undelete(&shop, &customer, &shirt, "").await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::PermissionMissing));
    assert!(visible(&shop).await.is_empty());
}

async fn a_sku_that_was_taken_meanwhile_keeps_its_product_deleted(backend: Backend) {
    let shop = Shop::open(backend).await;
    let shirt = shop.create(product("Shirt", &["S", "M"])).await;
    delete(&shop, &shirt).await;
    let other = shop.create(product("Other", &["M"])).await;
    let error = undelete(&shop, &shop.staff, &shirt, "").await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::SkuTaken));
    assert_eq!(visible(&shop).await, std::slice::from_ref(&other));
    // Also twice with one stock-keeping unit.
    delete(&shop, &other).await;
    assert_eq!(all(&shop).await.len(), 2);
    assert_eq!(skus(&undelete(&shop, &shop.staff, &shirt, "").await.unwrap()), ["S", "M"]);
}
