//! What is served describes itself, to programs and to people.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::house::{House, told};

#[tokio::test]
async fn what_is_served_is_described_and_nothing_else() {
    let house = House::start().await;
    let told = house.get("/openapi.json").await;
    assert_eq!((told.status, told.header("content-type")), (200, "application/json"));
    let document = told.json();
    assert_eq!(document["openapi"], "3.1.1");
    let contracts = house.another().contracts;
    let methods = contracts.iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
    let ids: BTreeSet<_> =
        operations(&document).map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned()).collect();
    let (mut shown, mut hidden) = (0, 0);
    for method in methods.filter(|method| !method.http.is_empty()) {
        let id = format!("{}_{}", method.service.rsplit('.').next().unwrap(), method.name);
        assert_eq!(ids.contains(&id), method.serves_users(), "{id}");
        *(if method.serves_users() { &mut shown } else { &mut hidden }) += 1;
    }
    assert!(shown > 10, "{shown} shown, {hidden} hidden");
}

#[tokio::test]
async fn what_may_be_kept_is_described_so() {
    let house = House::start().await;
    let document = house.get("/openapi.json").await.json();
    let motto = &document["paths"]["/v1/motto"]["get"]["responses"];
    assert!(motto["304"].is_object() && motto["200"]["headers"]["ETag"].is_object());
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| item.as_object().unwrap().values().map(move |operation| (path, operation)))
}

#[tokio::test]
async fn the_description_is_sent_once_and_packed() {
    let house = House::start().await;
    let plain = house.get("/openapi.json").await;
    let (etag, length) = (plain.header("etag").to_owned(), plain.text.len());
    assert_eq!(plain.header("cache-control"), "no-cache");
    let known = told(house.request("GET", "/openapi.json").header("if-none-match", &etag)).await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    let packed = house.request("GET", "/openapi.json").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap().len();
    assert!(packed * 4 < length, "{packed} of {length} bytes");
    let head = told(house.request("HEAD", "/openapi.json")).await;
    assert_eq!((head.status, head.header("content-length")), (200, length.to_string().as_str()));
}

#[tokio::test]
async fn the_page_is_whole_and_lets_nothing_in_from_elsewhere() {
    let house = House::start().await;
    for path in ["/docs", "/docs/"] {
        let page = house.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        for part in page.text.split(['"']).filter(|part| part.starts_with('/')) {
            let plain = house.get(part).await;
            assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{part}");
            assert!(plain.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"), "{part}");
            assert_eq!(plain.header("x-content-type-options"), "nosniff");
        }
    }
    let packed = house.request("GET", "/docs/viewer.js").header("accept-encoding", "br, gzip").send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(&packed.bytes().await.unwrap()[..2], [0x1f, 0x8b]);
}

#[tokio::test]
async fn the_reference_is_read_and_not_written() {
    let house = House::start().await;
    for path in ["/openapi.json", "/docs"] {
        let refused = told(house.request("POST", path)).await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD, OPTIONS"), "{path}");
        let options = told(house.request("OPTIONS", path)).await;
        assert_eq!((options.status, options.header("allow")), (204, "GET, HEAD, OPTIONS"), "{path}");
    }
    assert_eq!(house.get("/docs/nothing").await.status, 404);
}

#[tokio::test]
async fn an_operator_can_turn_the_reference_off() {
    let house = House::with(|edge| edge.settings.reference = false).await;
    for path in ["/openapi.json", "/docs", "/docs/viewer.js"] {
        assert_eq!(house.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_error_names_the_page_about_its_reason() {
    let house = House::start().await;
    for (method, path) in [("GET", "/v1/no-such-path"), ("POST", "/v1/notes:fail")] {
        let failed = told(house.request(method, path).body(r#"{"failure": "FAILURE_BUSY"}"#)).await;
        let details = failed.json()["details"].clone();
        let help =
            details.as_array().unwrap().iter().find(|detail| detail["@type"].as_str().unwrap().ends_with("google.rpc.Help"));
        let page = help.unwrap_or_else(|| panic!("{details}"))["links"][0]["url"].as_str().unwrap().to_owned();
        let read = house.get(&page).await;
        assert_eq!((read.status, read.header("content-type")), (200, "text/html; charset=utf-8"), "{page}");
        assert!(read.text.contains(&format!("<h1>{}</h1>", failed.reason())), "{}", read.text);
        assert!(read.header("content-security-policy").starts_with("default-src 'none'"));
    }
    assert!(house.get("/docs/errors").await.text.contains("RATE_LIMITED"));
    assert_eq!(house.get("/docs/errors/weft.mesh.v1/NONE").await.status, 404);
}
