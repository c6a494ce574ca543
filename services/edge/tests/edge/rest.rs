//! REST: what is asked becomes the method's message, what comes back is JSON, what is wrong is named.

use serde_json::json;
use weft_call::Declares;
use weft_contracts_catalog::CatalogContract;

use crate::house::{House, told};

/// Method, path, headers, body; status, reason, and the field or header that is named.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str, &'a str);

#[tokio::test]
async fn a_get_is_answered_in_json_under_its_request_id() {
    let house = House::start().await;
    let answer = house.get("/v1/notes/7").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"id": "7", "text": "the note 7", "askedBy": "anonymous"}));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-request-id").len(), 36);
    let named = told(house.request("GET", "/v1/notes/7").header("x-request-id", "mine-1")).await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    let unusable = told(house.request("GET", "/v1/notes/7").header("x-request-id", "not mine")).await;
    assert_eq!((unusable.status, unusable.header("x-request-id").len()), (200, 36));
}

#[tokio::test]
async fn every_binding_of_a_method_is_served_in_its_own_form() {
    let house = House::start().await;
    assert_eq!(house.get("/v1/notes/7/text").await.text, "\"the note 7\"");
    assert_eq!(house.get("/v1/files/a/b%20c").await.json()["id"], "a/b c");
}

#[tokio::test]
async fn head_is_answered_as_get_without_its_body() {
    let house = House::start().await;
    for path in ["/v1/notes/7", "/v1/notes/7?nope=1", "/nothing"] {
        let (get, head) = (house.get(path).await, told(house.request("HEAD", path)).await);
        assert_eq!((head.status, head.text.as_str()), (get.status, ""), "{path}");
        for name in ["content-type", "content-length"] {
            assert_eq!(head.header(name), get.header(name), "{path}");
        }
    }
}

#[tokio::test]
async fn a_query_fills_the_request() {
    let house = House::start().await;
    let path = "/v1/notes?pageSize=5&kinds=KIND_REMINDER&kinds=0&after=2026-01-02T03:04:05Z";
    let answer = house.get_as(&house.token(), path).await.json();
    let note = &answer["notes"][0];
    assert_eq!((&note["reads"], &note["kind"]), (&json!("5"), &json!("KIND_REMINDER")));
    assert_eq!(note["createTime"], "2026-01-02T03:04:05Z");
    assert_eq!(answer["notes"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_handler_chooses_status_and_headers_and_sees_the_key_of_the_change() {
    let house = House::start().await;
    let token = house.token();
    let create = || house.request("POST", "/v1/notes").bearer_auth(&token).json(&json!({"id": "7"}));
    let created = told(create().header("idempotency-key", "once")).await;
    assert_eq!((created.status, created.header("location")), (201, "/v1/notes/7"));
    assert_eq!(created.json()["key"], "once");
    let (first, second) = (told(create()).await.json(), told(create()).await.json());
    assert_eq!(first["key"].as_str().unwrap().len(), 36, "a key is made where the client sends none");
    assert_ne!(first["key"], second["key"]);
}

#[tokio::test]
async fn a_patch_carries_its_mask_and_etag() {
    let house = House::start().await;
    let patch = house.request("PATCH", "/v1/notes/7?update_mask=text,create_time").bearer_auth(house.token());
    let answer = told(patch.header("if-match", "\"v1\"").json(&json!({"text": "new"}))).await.json();
    assert_eq!((&answer["id"], &answer["text"]), (&json!("7"), &json!("new (text,create_time)")));
    assert_eq!(answer["etag"], "\"v1\"");
}

#[tokio::test]
async fn a_patch_without_a_mask_means_the_fields_of_its_body_and_the_path_has_the_last_word() {
    let house = House::start().await;
    let patch = house.request("PATCH", "/v1/notes/7").bearer_auth(house.token());
    let answer = told(patch.json(&json!({"text": "new", "createTime": null, "id": "8"}))).await.json();
    assert_eq!((&answer["id"], &answer["text"]), (&json!("7"), &json!("new (create_time,id,text)")));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let house = House::start().await;
    let token = house.token();
    let long = "x".repeat(300);
    let large = format!("{{\"text\": \"{}\"}}", "x".repeat(5 * 1024 * 1024));
    let many: &[Case<'_>] = &[
        ("GET", "/nothing", &[], "", 404, "ROUTE_UNKNOWN", ""),
        ("GET", "/v1/notes/", &[], "", 404, "ROUTE_UNKNOWN", ""),
        ("DELETE", "/v1/notes", &[], "", 405, "METHOD_UNKNOWN", ""),
        ("POST", "/v1/notes:sweep", &[], "{}", 404, "ROUTE_UNKNOWN", ""),
        ("GET", "/v1/notes/%ff", &[], "", 400, "MALFORMED_MESSAGE", "path"),
        ("GET", "/v1/notes/%00", &[], "", 400, "VALIDATION_FAILED", "id"),
        ("GET", "/v1/notes/1234567890123456789012345678901234567890123", &[], "", 400, "VALIDATION_FAILED", "id"),
        ("GET", "/v1/notes/7?nope=1", &[], "", 400, "MALFORMED_MESSAGE", "nope"),
        ("GET", "/v1/notes/7?id=8", &[], "", 400, "MALFORMED_MESSAGE", "id"),
        ("GET", "/v1/notes/7", &[], "{}", 400, "MALFORMED_MESSAGE", "body"),
        ("GET", "/v1/notes?page_size=x", &[], "", 400, "MALFORMED_MESSAGE", "page_size"),
        ("GET", "/v1/notes?page_size=101", &[], "", 400, "VALIDATION_FAILED", "page_size"),
        ("GET", "/v1/notes?kinds=KIND_X", &[], "", 400, "MALFORMED_MESSAGE", "kinds"),
        ("GET", "/v1/notes?after=%ff", &[], "", 400, "MALFORMED_MESSAGE", "after"),
        ("POST", "/v1/notes", &[], "", 400, "VALIDATION_FAILED", "note"),
        ("POST", "/v1/notes", &[], "{", 400, "MALFORMED_MESSAGE", "body"),
        ("POST", "/v1/notes", &[], "[]", 400, "MALFORMED_MESSAGE", "note"),
        ("POST", "/v1/notes", &[], "{\"nope\": 1}", 400, "MALFORMED_MESSAGE", "note.nope"),
        ("POST", "/v1/notes", &[], "{\"text\": 5}", 400, "MALFORMED_MESSAGE", "note.text"),
        ("POST", "/v1/notes", &[], "{\"text\": \"\\u0000\"}", 400, "VALIDATION_FAILED", "note.text"),
        ("POST", "/v1/notes", &[], "{\"reads\": 9223372036854775808}", 400, "MALFORMED_MESSAGE", "note.reads"),
        ("POST", "/v1/notes", &[("content-type", "text/plain")], "{}", 415, "HEADER_INVALID", "content-type"),
        ("POST", "/v1/notes", &[("idempotency-key", "a b")], "{}", 400, "HEADER_INVALID", "idempotency-key"),
        ("POST", "/v1/notes", &[("idempotency-key", &long)], "{}", 400, "HEADER_INVALID", "idempotency-key"),
        ("POST", "/v1/notes", &[("if-match", &long)], "{}", 400, "HEADER_INVALID", "if-match"),
        ("POST", "/v1/notes", &[("grpc-timeout", "soon")], "{}", 400, "HEADER_INVALID", "grpc-timeout"),
        ("POST", "/v1/notes", &[], &large, 413, "MESSAGE_TOO_LARGE", ""),
    ];
    for (method, path, headers, body, status, reason, what) in many {
        let mut request = house.request(method, path).bearer_auth(&token);
        if !body.is_empty() {
            request = request.body((*body).to_owned());
        }
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        let answer = told(request).await;
        let shown: String = body.chars().take(40).collect();
        let case = format!("{method} {path} {headers:?} {shown}: {:?}", answer.text);
        assert_eq!((answer.status, answer.reason().as_str()), (*status, *reason), "{case}");
        let named =
            if *reason == "HEADER_INVALID" { answer.facts()["header"].as_str().unwrap().to_owned() } else { answer.fields() };
        assert_eq!(named, *what, "{case}");
        assert_eq!(answer.request_id(), answer.header("x-request-id"), "{case}");
        assert_eq!(answer.header("content-type"), "application/json", "{case}");
    }
    let not_allowed = told(house.request("DELETE", "/v1/notes")).await;
    assert_eq!(not_allowed.header("allow"), "GET, HEAD, OPTIONS, POST");
}

#[tokio::test]
async fn a_failure_carries_what_the_handler_says_and_nothing_of_its_cause() {
    let house = House::start().await;
    let fail = async |failure: &str| told(house.request("POST", "/v1/notes:fail").json(&json!({"failure": failure}))).await;
    let busy = fail("FAILURE_BUSY").await;
    assert_eq!((busy.status, busy.reason().as_str(), busy.header("retry-after")), (429, "BUSY", "2"));
    assert_eq!(busy.facts(), json!({"limit": "5"}));
    for failure in ["FAILURE_INTERNAL", "FAILURE_UNSPECIFIED"] {
        let internal = fail(failure).await;
        assert_eq!((internal.status, internal.reason().as_str()), (500, "INTERNAL"));
        assert!(!internal.text.contains("hunter2"), "{}", internal.text);
    }
}

#[tokio::test]
async fn what_takes_longer_than_the_contract_allows_is_ended() {
    let house = House::start().await;
    let late = house.get("/v1/notes:hang").await;
    assert_eq!((late.status, late.reason().as_str()), (504, "DEADLINE_SPENT"));
}

#[tokio::test]
async fn a_domain_that_is_nowhere_fails_its_own_calls_only() {
    let house = House::with(|edge| edge.contracts.push(CatalogContract::CONTRACT)).await;
    let gone = house.get_as(&house.token(), "/api/v1/products/7").await;
    assert_eq!((gone.status, gone.reason().as_str()), (503, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(house.get("/v1/notes/7").await.status, 200);
}
