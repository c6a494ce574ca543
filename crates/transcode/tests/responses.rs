//! Response messages as HTTP bodies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use weft_transcode::{PrintOptions, ReadOptions, ResponseBody, Router, Schema, json_to_wire};

/// The response body of a route for a response message given as JSON.
fn respond(method: &str, path: &str, response: &str) -> Result<String, String> {
    let schema = Schema::from_descriptor_set(&support::descriptor_set(&["shop.proto"])).unwrap();
    let router = Router::build(&schema).unwrap();
    let found = router.find(method, path).unwrap();
    let output = found.binding.method(&schema).output;
    let (mut wire, mut json) = (Vec::new(), Vec::new());
    json_to_wire(&schema, output, response.as_bytes(), &ReadOptions::default(), &mut wire).unwrap();
    match found.binding.response_body(&schema, &wire, &PrintOptions::default(), &mut json).unwrap() {
        ResponseBody::Json => Ok(String::from_utf8(json).unwrap()),
        ResponseBody::Raw { content_type, data } => {
            assert!(found.binding.gives_raw_body(&schema));
            Err(format!("{content_type}: {}", String::from_utf8_lossy(data)))
        }
    }
}

#[test]
fn the_whole_response_is_the_body() {
    assert_eq!(respond("GET", "/v1/shelves/s/books/1", r#"{"title":"t"}"#), Ok(r#"{"title":"t"}"#.to_owned()));
}

#[test]
fn one_field_is_the_body_whatever_its_type() {
    let list = |response| respond("GET", "/v1/books", response);
    assert_eq!(list(r#"{"total":2,"books":[{"id":"1"},{}]}"#), Ok(r#"[{"id":"1"},{}]"#.to_owned()));
    assert_eq!(list("{}"), Ok("[]".to_owned()));
    let count = |response| respond("GET", "/v1/books:count", response);
    assert_eq!(count(r#"{"total":2}"#), Ok("2".to_owned()));
    assert_eq!(count("{}"), Ok("0".to_owned()));
}

#[test]
fn an_http_body_is_given_as_it_is() {
    let cover = respond("PUT", "/v1/covers", r#"{"contentType":"text/html","data":"PGI+"}"#);
    assert_eq!(cover, Err("text/html: <b>".to_owned()));
    let page = respond("PUT", "/v1/books/1/page", r#"{"number":3,"page":{"contentType":"text/plain","data":"cGFnZQ=="}}"#);
    assert_eq!(page, Err("text/plain: page".to_owned()));
    assert_eq!(respond("PUT", "/v1/covers", "{}"), Err(": ".to_owned()));
}
