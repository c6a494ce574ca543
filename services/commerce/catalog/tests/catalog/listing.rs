//! Products are listed, a page at a time.

use std::time::Duration;

use weft_contracts_catalog::{DeleteProductRequest, ListProductsRequest, Product};
use weft_mesh::MeshReason;
use weft_testkit::{Backend, on_both};

use crate::given::{Shop, fields, product, skus};

on_both!(
    every_order_lists_all_products_once,
    a_search_finds_names_in_whatever_case,
    a_filter_finds_products_by_what_they_are_and_have,
    a_page_neither_repeats_nor_hides_what_others_change,
    a_page_token_goes_with_its_tenant_search_and_order,
    a_page_holds_whole_products_with_their_variants_in_order
);

/// Products, each a second younger than the one before it.
async fn with_products(backend: Backend, names: &[&str]) -> Shop {
    let shop = Shop::open(backend).await;
    for (index, name) in names.iter().enumerate() {
        shop.create(product(name, &[&format!("{index}-a"), &format!("{index}-b")])).await;
        shop.mesh.clock().advance(Duration::from_secs(1));
    }
    shop
}

fn names(products: &[Product]) -> Vec<&str> {
    products.iter().map(|product| product.name.as_str()).collect()
}

fn page(search: &str, order_by: &str, page_size: i32, page_token: &str) -> ListProductsRequest {
    let [search, order_by, page_token] = [search, order_by, page_token].map(str::to_owned);
    ListProductsRequest { page_size, page_token, search, order_by, ..ListProductsRequest::default() }
}

/// All products, read in pages of `page_size`.
async fn all(shop: &Shop, search: &str, order_by: &str, page_size: i32) -> Vec<Product> {
    let (mut products, mut token) = (Vec::new(), String::new());
    loop {
        let listed = shop.list(page(search, order_by, page_size, &token)).await.unwrap();
        assert!(listed.products.len() <= usize::try_from(page_size).unwrap());
        products.extend(listed.products);
        token = listed.next_page_token;
        if token.is_empty() {
            return products;
        }
    }
}

async fn every_order_lists_all_products_once(backend: Backend) {
    let shop = with_products(backend, &["beta", "Alpha", "\u{c4}rger", "alpha", "_"]).await;
    let by_time = ["beta", "Alpha", "\u{c4}rger", "alpha", "_"];
    // Lower case decides, then age.
    let by_name = ["_", "Alpha", "alpha", "beta", "\u{c4}rger"];
    for page_size in [1, 2, 3, 5, 6] {
        let listed = async |order_by| all(&shop, "", order_by, page_size).await;
        let reversed = |names: [&'static str; 5]| names.into_iter().rev().collect::<Vec<_>>();
        assert_eq!(names(&listed("").await), by_time);
        assert_eq!(names(&listed("create_time").await), by_time);
        assert_eq!(names(&listed("create_time desc").await), reversed(by_time));
        assert_eq!(names(&listed("name").await), by_name);
        assert_eq!(names(&listed("name desc").await), reversed(by_name));
    }
    let error = shop.list(page("", "price", 0, "")).await.unwrap_err();
    assert_eq!(fields(&error), ["order_by"]);
}

async fn a_search_finds_names_in_whatever_case(backend: Backend) {
    let shop = with_products(backend, &["Wool shirt", "100% WOOL", "\u{dc}berzieher", "Silk_tie"]).await;
    let found = async |search| names(&all(&shop, search, "", 10).await).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("wool").await, ["Wool shirt", "100% WOOL"]);
    assert_eq!(found("\u{fc}BER").await, ["\u{dc}berzieher"]);
    assert_eq!(found("%").await, ["100% WOOL"]);
    assert_eq!(found("_").await, ["Silk_tie"]);
    assert!(found("linen").await.is_empty());
    assert!(found("' OR 1=1 --").await.is_empty());
}

async fn a_filter_finds_products_by_what_they_are_and_have(backend: Backend) {
    let shop = with_products(backend, &["Wool shirt", "Hat", "Tie"]).await;
    let second = all(&shop, "", "", 10).await[1].create_time.unwrap().to_string();
    let list = async |filter: &str, search: &str| {
        shop.list(ListProductsRequest { filter: filter.to_owned(), ..page(search, "name desc", 10, "") }).await
    };
    for (filter, search, expected) in [
        ("name = \"Wool shirt\" OR name = Hat", "", &["Wool shirt", "Hat"][..]),
        ("name != Hat", "t", &["Wool shirt", "Tie"]),
        ("variants.sku:1-b", "", &["Hat"]),
        ("NOT variants.sku:1-b AND NOT name = Tie", "", &["Wool shirt"]),
        (&format!("create_time <= {second}"), "", &["Wool shirt", "Hat"]),
        ("delete_time:*", "", &[]),
        ("name = hat", "", &[]),
    ] {
        assert_eq!(names(&list(filter, search).await.unwrap().products), expected, "{filter}");
    }
    for filter in ["description = wool", "name > A", "wool", "variants.sku = 1-b"] {
        assert_eq!(fields(&list(filter, "").await.unwrap_err()), ["filter"], "{filter}");
    }
}

async fn a_page_neither_repeats_nor_hides_what_others_change(backend: Backend) {
    let shop = with_products(backend, &["a", "b", "c", "d"]).await;
    let first = shop.list(page("", "name", 2, "")).await.unwrap();
    assert_eq!(names(&first.products), ["a", "b"]);
    for gone in first.products {
        let delete = DeleteProductRequest { id: gone.id, etag: String::new() };
        shop.catalog.delete_product(&shop.staff.call(), delete).await.unwrap();
    }
    shop.create(product("A", &["new"])).await;
    let second = shop.list(page("", "name", 2, &first.next_page_token)).await.unwrap();
    assert_eq!(names(&second.products), ["c", "d"]);
    assert_eq!(second.next_page_token, "");
}

async fn a_page_token_goes_with_its_tenant_search_and_order(backend: Backend) {
    let shop = with_products(backend, &["a", "aa", "aaa"]).await;
    let token = shop.list(page("a", "name", 1, "")).await.unwrap().next_page_token;
    let damaged = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'A' });
    let cut = &token[..token.len() / 2];
    let wrong = [
        page("aa", "name", 1, &token),
        page("a", "name desc", 1, &token),
        page("a", "", 1, &token),
        page("a", "name", 1, &damaged),
        page("a", "name", 1, cut),
        page("a", "name", 1, "x"),
    ];
    for request in wrong {
        let error = shop.list(request.clone()).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::PageTokenInvalid), "{request:?}");
    }
    let stranger = shop.stranger("staff").call();
    let error = shop.catalog.list_products(&stranger, page("a", "name", 1, &token)).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::PageTokenInvalid));
    assert_eq!(names(&shop.list(page("a", "name", 1, &token)).await.unwrap().products), ["aa"]);
}

async fn a_page_holds_whole_products_with_their_variants_in_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    let long = "\u{1d11e}".repeat(200);
    for skus in [["z", "a", "m"], ["y", "b", "n"]] {
        shop.create(product(&long, &skus)).await;
    }
    for order_by in ["create_time", "name", "name desc"] {
        let products = all(&shop, "", order_by, 1).await;
        let mut variants: Vec<_> = products.iter().map(skus).collect();
        variants.sort_unstable();
        assert_eq!(variants, [["y", "b", "n"], ["z", "a", "m"]], "{order_by}");
    }
}
