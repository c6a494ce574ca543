//! Products change: what the mask names, if the etag fits.

use std::time::Duration;

use uuid::Uuid;
use weft_contracts_catalog::{CatalogReason, Product};
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, change, fields, product, skus, variant};

on_both!(
    an_update_changes_what_its_mask_names,
    an_update_without_a_mask_changes_what_is_set,
    a_mask_that_names_what_cannot_be_set_is_refused,
    a_change_of_another_version_is_refused,
    an_update_whose_answer_was_lost_can_be_sent_again,
    variants_are_replaced_and_keep_their_ids,
    an_update_cannot_take_the_sku_of_another_product,
    an_update_of_what_does_not_exist_is_refused,
    of_two_updates_of_one_version_one_is_made
);

async fn an_update_changes_what_its_mask_names(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(Product { description: "Wool".to_owned(), ..product("Shirt", &["S"]) }).await;
    shop.mesh.clock().advance(Duration::from_secs(1));
    let wanted = Product { id: created.id.clone(), name: "Coat".to_owned(), ..Product::default() };
    let changed = shop.update(wanted.clone(), &["name", "description"]).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.description.as_str()), ("Coat", ""));
    assert_eq!((&changed.variants, changed.create_time), (&created.variants, created.create_time));
    assert_ne!(changed.etag, created.etag);
    assert_ne!(changed.update_time, created.update_time);
    let error = shop.update(wanted, &["*"]).await.unwrap_err();
    assert_eq!(fields(&error), ["product.variants"], "* also names what is not set");
}

async fn an_update_without_a_mask_changes_what_is_set(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(Product { description: "Wool".to_owned(), ..product("Shirt", &["S"]) }).await;
    let wanted = Product { id: created.id.clone(), name: "Coat".to_owned(), ..Product::default() };
    let changed = shop.update(wanted, &[]).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.description.as_str()), ("Coat", "Wool"));
    assert_eq!(changed.variants, created.variants);
}

async fn a_mask_that_names_what_cannot_be_set_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    for path in ["create_time", "id", "colour", "variants.price"] {
        let error = shop.update(Product { name: "Coat".to_owned(), ..created.clone() }, &["name", path]).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::FieldMaskInvalid));
        assert_eq!(error.metadata()["path"], path);
    }
}

async fn a_change_of_another_version_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let changed = shop.update(Product { name: "Coat".to_owned(), ..created.clone() }, &["name"]).await.unwrap();
    let hat = |etag: &str| Product { name: "Hat".to_owned(), etag: etag.to_owned(), ..created.clone() };

    let error = shop.update(hat(&created.etag), &["name"]).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));
    let stale = shop.staff.if_match(&created.etag);
    let error = shop.catalog.update_product(&stale, change(hat(""), &["name"])).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));

    let fresh = shop.staff.if_match(&changed.etag);
    let hatted = shop.catalog.update_product(&fresh, change(hat(&changed.etag), &["name"])).await.unwrap();
    assert_eq!(hatted.message.name, "Hat");
}

async fn an_update_whose_answer_was_lost_can_be_sent_again(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let wanted = Product { name: "Coat".to_owned(), variants: vec![variant("S", 5), variant("T", 6)], ..created };
    let first = shop.update(wanted.clone(), &["name", "variants"]).await.unwrap();
    assert_eq!(shop.update(wanted, &["name", "variants"]).await.unwrap(), first);
}

async fn variants_are_replaced_and_keep_their_ids(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut wanted = shop.create(product("Shirt", &["A", "B", "C"])).await;
    let ids: Vec<_> = wanted.variants.iter().map(|variant| variant.id.clone()).collect();
    // A and B swap their units, C goes, D comes first.
    wanted.variants[0].sku = "B".into();
    wanted.variants[1].sku = "A".into();
    wanted.variants[2] = variant("D", 7);
    wanted.variants.rotate_right(1);
    let changed = shop.update(wanted, &["variants"]).await.unwrap();
    assert_eq!(skus(&changed), ["D", "B", "A"]);
    assert_eq!([&changed.variants[1].id, &changed.variants[2].id], [&ids[0], &ids[1]]);
    assert!(!ids.contains(&changed.variants[0].id));
    shop.create(product("Cap", &["C"])).await;
}

async fn an_update_cannot_take_the_sku_of_another_product(backend: Backend) {
    let shop = Shop::open(backend).await;
    shop.create(product("Hat", &["H"])).await;
    let shirt = shop.create(product("Shirt", &["S"])).await;
    let wanted = Product { name: "Coat".to_owned(), variants: vec![variant("H", 1)], ..shirt.clone() };
    let error = shop.update(wanted, &["*"]).await.unwrap_err();
    assert_eq!(error.reason(), Some(CatalogReason::SkuTaken));
    assert_eq!(shop.update(shirt.clone(), &["*"]).await.unwrap(), shirt, "nothing of it was changed");
}

async fn an_update_of_what_does_not_exist_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let nothing = Product { id: Uuid::now_v7().to_string(), ..product("Shirt", &["S"]) };
    assert_eq!(shop.update(nothing, &[]).await.unwrap_err().reason(), Some(CatalogReason::ProductNotFound));
    let error = shop.update(Product { id: "x".to_owned(), ..product("Shirt", &["S"]) }, &[]).await.unwrap_err();
    assert_eq!(fields(&error), ["product.id"]);
}

async fn of_two_updates_of_one_version_one_is_made(backend: Backend) {
    let shop = Shop::open(backend).await;
    let created = shop.create(product("Shirt", &["S"])).await;
    let rename = |name: &str| shop.update(Product { name: name.to_owned(), ..created.clone() }, &["name"]);
    let (a, b, c, d) = tokio::join!(rename("A"), rename("B"), rename("C"), rename("D"));
    let (made, refused): (Vec<_>, Vec<_>) = [a, b, c, d].into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 3));
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!(error.reason(), Some(MeshReason::EtagMismatch));
    }
}
