#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use prost_reflect::{DescriptorPool, SerializeOptions};
use serde_json::json;
use weft_call::{Access, Audit, HttpMethod, HttpRoute, Idempotency, MethodContract, MethodKind};

use super::*;
use crate::rest::routes::Routes;

const PROTO: &str = r#"
    syntax = "proto3";
    package edge.test;
    import "google/protobuf/duration.proto";
    import "google/protobuf/field_mask.proto";
    import "google/protobuf/struct.proto";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";

    message All {
      string name = 1;
      int32 small_number = 2;
      uint64 large = 3;
      double real = 4;
      bool yes = 5;
      bytes blob = 6;
      Colour colour = 7;
      repeated string words = 8;
      repeated Colour colours = 9;
      Inner inner = 10;
      repeated Inner inners = 11;
      map<string, Inner> named = 12;
      google.protobuf.Timestamp when = 13;
      google.protobuf.Duration wait = 14;
      google.protobuf.FieldMask update_mask = 15;
      google.protobuf.Int64Value wrapped = 16;
      google.protobuf.BoolValue maybe = 17;
      google.protobuf.Struct any = 18;
      map<string, int32> counts = 19;
      optional int32 age = 20;
    }
    message Inner { string id = 1; int32 count = 2; All all = 3; }
    enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; }
"#;

fn pool() -> DescriptorPool {
    struct Inline;
    impl protox::file::FileResolver for Inline {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            match name {
                "test.proto" => protox::file::File::from_source(name, PROTO),
                _ => protox::file::GoogleFileResolver::new().open_file(name),
            }
        }
    }
    let mut compiler = protox::Compiler::with_file_resolver(Inline);
    compiler.include_imports(true).open_file("test.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// A method that takes and gives `All`.
fn method() -> MethodContract {
    MethodContract {
        index: 0,
        domain: "test",
        service: "edge.test.Test",
        name: "Do",
        path: "/edge.test.Test/Do",
        input: "edge.test.All",
        output: "edge.test.All",
        kind: MethodKind::Unary,
        access: Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false },
        system: None,
        deadline: Some(Duration::from_secs(1)),
        idempotency: Idempotency::Read,
        limits: &[],
        audit: Audit::None,
        http: &[],
    }
}

fn route(template: &'static str, body: &'static str) -> Route {
    let http = HttpRoute { method: HttpMethod::Post, template, body, response_body: "" };
    Route::new(&pool(), Box::leak(Box::new(method())), &http).unwrap()
}

/// The message that a request becomes, in JSON again.
fn asked(route: &Route, path: &str, query: &str, body: &str) -> Result<Value> {
    let captures = route.template.captures(path).expect("the path fits").expect("the path is UTF-8");
    let captures: Vec<_> = captures.into_iter().map(|capture| capture.value).enumerate().collect();
    let message = message(route, &captures, query, &Bytes::copy_from_slice(body.as_bytes()))?;
    Ok(message.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new()).unwrap())
}

fn queried(query: &str) -> Result<Value> {
    asked(&route("/v1/all", ""), "/v1/all", query, "")
}

fn posted(body: &str) -> Result<Value> {
    asked(&route("/v1/all", "*"), "/v1/all", "", body)
}

/// The fields that the refusal names, and what it says of the first.
fn refused(result: Result<Value>) -> (Vec<String>, String) {
    let error = result.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::MalformedMessage), "{error:?}");
    let fields = error.violations().iter().map(|violation| violation.field.clone()).collect();
    (fields, error.violations()[0].description.clone())
}

#[test]
fn a_query_sets_fields_of_every_type_that_text_can_set() {
    for (query, expected) in [
        ("", json!({})),
        ("&&", json!({})),
        ("name=a+b%20c%26", json!({"name": "a b c&"})),
        ("name=", json!({})),
        ("age=0", json!({"age": 0})),
        ("small_number=-5&smallNumber=", json!(null)),
        ("small_number=-5", json!({"smallNumber": -5})),
        ("smallNumber=7", json!({"smallNumber": 7})),
        ("large=18446744073709551615", json!({"large": "18446744073709551615"})),
        ("real=2.5e3", json!({"real": 2500.0})),
        ("real=-Infinity", json!({"real": "-Infinity"})),
        ("yes=true", json!({"yes": true})),
        ("blob=AQI%3D", json!({"blob": "AQI="})),
        ("colour=COLOUR_RED", json!({"colour": "COLOUR_RED"})),
        ("colour=1", json!({"colour": "COLOUR_RED"})),
        ("colour=77", json!({"colour": 77})),
        ("words=a&words=b", json!({"words": ["a", "b"]})),
        ("colours=1&colours=COLOUR_RED", json!({"colours": ["COLOUR_RED", "COLOUR_RED"]})),
        ("inner.id=x&inner.count=2", json!({"inner": {"id": "x", "count": 2}})),
        ("inner.all.inner.id=deep", json!({"inner": {"all": {"inner": {"id": "deep"}}}})),
        ("when=2026-01-02T03:04:05Z", json!({"when": "2026-01-02T03:04:05Z"})),
        ("wait=1.5s", json!({"wait": "1.500s"})),
        ("update_mask=small_number,inner.id", json!({"updateMask": "smallNumber,inner.id"})),
        ("updateMask=smallNumber", json!({"updateMask": "smallNumber"})),
        ("wrapped=0&maybe=false", json!({"wrapped": "0", "maybe": false})),
    ] {
        match expected {
            Value::Null => assert!(queried(query).is_err(), "{query}"),
            expected => assert_eq!(queried(query).unwrap(), expected, "{query}"),
        }
    }
}

#[test]
fn a_query_that_cannot_be_used_is_refused_by_its_parameter() {
    for (query, field, problem) in [
        ("unknown=1", "unknown", "no such field"),
        ("name.x=1", "name.x", "no such field"),
        ("words.x=1", "words.x", "no such field"),
        ("inners.id=1", "inners.id", "no such field"),
        ("=1", "", "no such field"),
        ("inner=x", "inner", "is not of a type that a text can set"),
        ("named=x", "named", "is not of a type that a text can set"),
        ("any=x", "any", "is not of a type that a text can set"),
        ("name=a&name=b", "name", "is set more than once"),
        ("small_number=x", "small_number", "must be an integer of 32 bits"),
        ("small_number=2147483648", "small_number", "must be an integer of 32 bits"),
        ("small_number=", "small_number", "must be an integer of 32 bits"),
        ("large=-1", "large", "must be an integer of 64 bits, not negative"),
        ("yes=1", "yes", "must be true or false"),
        ("colour=COLOUR_BLUE", "colour", "must be a value of edge.test.Colour"),
        ("when=yesterday", "when", "must be a google.protobuf.Timestamp"),
        ("inner.count=x", "inner.count", "must be an integer of 32 bits"),
        ("blob=%2A", "blob", "must be a string in base64"),
        ("name=%ff", "name", "must be UTF-8"),
        ("%ff=1", "query", "must be UTF-8"),
    ] {
        assert_eq!(refused(queried(query)), (vec![field.to_owned()], problem.to_owned()), "{query}");
    }
    let deep = format!("{}id=1", "inner.all.".repeat(1000));
    assert_eq!(refused(queried(&deep)).1, "no such field");
}

#[test]
fn a_body_is_refused_by_the_path_of_what_is_wrong() {
    for (body, field, problem) in [
        ("[]", "body", "must be a JSON object"),
        ("null", "body", "must be a JSON object"),
        (r#"{"name": 5}"#, "name", "must be a string"),
        (r#"{"smallNumber": 1.5}"#, "small_number", "must be an integer of 32 bits"),
        (r#"{"small_number": "x"}"#, "small_number", "must be an integer of 32 bits"),
        (r#"{"words": ["a", 5]}"#, "words[1]", "must be a string"),
        (r#"{"words": "a"}"#, "words", "must be a string"),
        (r#"{"inner": []}"#, "inner", "must be a edge.test.Inner"),
        (r#"{"inners": [{"count": 1}, {"count": {}}]}"#, "inners[1].count", "must be an integer of 32 bits"),
        (r#"{"named": {"k": {"count": true}}}"#, r#"named["k"].count"#, "must be an integer of 32 bits"),
        (r#"{"counts": {"k": "x"}}"#, r#"counts["k"]"#, "must be an integer of 32 bits"),
        (r#"{"when": 5}"#, "when", "must be a google.protobuf.Timestamp"),
        (r#"{"nope": 1}"#, "nope", "no such field"),
        (r#"{"inners": [{}, {"nope": 1}]}"#, "inners[1].nope", "no such field"),
        (r#"{"named": {"k": {"all": {"nope": 1}}}}"#, r#"named["k"].all.nope"#, "no such field"),
    ] {
        assert_eq!(refused(posted(body)), (vec![field.to_owned()], problem.to_owned()), "{body}");
    }
    assert_eq!(refused(posted(r#"{"a": 1, "inner": {"b": 1}}"#)).0, ["a", "inner.b"]);
}

#[test]
fn a_body_that_is_no_json_is_refused_by_its_place_and_never_repeated() {
    let deep = format!("{}{}", r#"{"inner":{"all":"#.repeat(1000), "}}".repeat(1000));
    for body in ["{", "{\"name\": \"hunter2\"", "hunter2", "{\"name\": \"\\ud800\"}", deep.as_str()] {
        let error = posted(body).unwrap_err();
        assert_eq!(error.violations()[0].field, "body", "{body}");
        assert!(error.violations()[0].description.contains("at line 1, column"), "{error:?}");
        assert!(!error.message().contains("hunter2"), "{error}");
    }
    let route = route("/v1/all", "*");
    let bad_utf8 = message(&route, &[], "", &Bytes::from_static(b"{\"name\": \"\xff\"}")).unwrap_err();
    assert_eq!(bad_utf8.violations()[0].field, "body");
}

#[test]
fn an_empty_body_is_an_empty_object() {
    assert_eq!(posted("").unwrap(), json!({}));
    assert_eq!(posted("{}").unwrap(), json!({}));
    assert_eq!(posted(r#"{"name": null}"#).unwrap(), json!({}));
}

#[test]
fn the_path_fills_its_fields_and_a_body_may_not_contradict_it() {
    let route = route("/v1/all/{inner.id}", "*");
    let ask = |body: &str| asked(&route, "/v1/all/7", "", body);
    let expected = json!({"inner": {"id": "7", "count": 1}});
    for body in [r#"{"inner": {"count": 1}}"#, r#"{"inner": {"id": "7", "count": 1}}"#, r#"{"inner": {"id": null, "count": 1}}"#]
    {
        assert_eq!(ask(body).unwrap(), expected, "{body}");
    }
    assert_eq!(refused(ask(r#"{"inner": {"id": "8"}}"#)), (vec!["inner.id".into()], "differs from what the path says".into()));
    assert_eq!(refused(ask(r#"{"inner": 5}"#)), (vec!["inner.id".into()], "must be an object".into()));
    let named = self::route("/v1/{small_number}", "*");
    assert_eq!(asked(&named, "/v1/5", "", r#"{"small_number": 5}"#).unwrap(), json!({"smallNumber": 5}));
    assert!(asked(&named, "/v1/5", "", r#"{"small_number": 6}"#).is_err());
    assert_eq!(refused(asked(&named, "/v1/x", "", "")).0, ["small_number"]);
}

#[test]
fn a_body_may_fill_one_field_and_leave_the_rest_to_path_and_query() {
    let route = route("/v1/all/{inner.id}", "inner");
    let asked = |query: &str| asked(&route, "/v1/all/7", query, r#"{"count": 2}"#);
    assert_eq!(asked("name=n").unwrap(), json!({"name": "n", "inner": {"id": "7", "count": 2}}));
    assert_eq!(refused(asked("inner.count=3")), (vec!["inner.count".into()], "is set by the body, not by the query".into()));
}

#[test]
fn what_the_body_or_path_sets_the_query_does_not() {
    let everything = route("/v1/all", "*");
    let by_body = asked(&everything, "/v1/all", "name=x", "{}");
    assert_eq!(refused(by_body), (vec!["name".into()], "is set by the body, not by the query".into()));
    let by_path = asked(&route("/v1/{name}", ""), "/v1/x", "name=y", "");
    assert_eq!(refused(by_path), (vec!["name".into()], "is set by the path, not by the query".into()));
}

#[test]
fn a_route_without_body_takes_none() {
    let refusal = refused(asked(&route("/v1/all", ""), "/v1/all", "", "{}"));
    assert_eq!(refusal, (vec!["body".into()], "must be empty".into()));
}

#[test]
fn a_route_that_the_contract_cannot_mean_is_refused_when_the_table_is_made() {
    for (template, body, problem) in [
        ("/v1/{nope}", "", "/edge.test.Test/Do: the contract has no field nope"),
        ("/v1/{inner}", "", "/edge.test.Test/Do: the contract has no field inner"),
        ("/v1/all", "nope", "/edge.test.Test/Do: the contract has no field nope"),
        ("v1", "", "/edge.test.Test/Do: the path template \"v1\" cannot be used: it does not begin with a slash"),
    ] {
        let http = HttpRoute { method: HttpMethod::Get, template, body, response_body: "" };
        let error = Route::new(&pool(), Box::leak(Box::new(method())), &http).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}

#[test]
fn a_path_is_answered_for_its_methods_and_head_where_get_is() {
    let route = |method, template| {
        let http = HttpRoute { method, template, body: "", response_body: "" };
        Route::new(&pool(), Box::leak(Box::new(self::method())), &http).unwrap()
    };
    let routes = Routes::sorted(vec![
        route(HttpMethod::Get, "/v1/all/{name}"),
        route(HttpMethod::Get, "/v1/all/special"),
        route(HttpMethod::Post, "/v1/all/{name}"),
        route(HttpMethod::Custom("LINK"), "/v1/link"),
    ]);
    let found = |method: &str, path: &str| {
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        routes.find(&method, path).map(|found| found.captures.into_iter().map(|(_, text)| text).collect::<Vec<_>>())
    };
    assert_eq!(found("GET", "/v1/all/x").unwrap(), ["x"]);
    assert_eq!(found("HEAD", "/v1/all/x").unwrap(), ["x"]);
    assert!(found("GET", "/v1/all/special").unwrap().is_empty());
    assert_eq!(found("POST", "/v1/all/special").unwrap(), ["special"]);
    assert!(found("LINK", "/v1/link").unwrap().is_empty());
    let status = |method: &str, path: &str| {
        let response = found(method, path).unwrap_err().response(&weft_call::RequestId::fresh());
        let allow = response.headers().get("allow").map(|allow| allow.to_str().unwrap().to_owned());
        (response.status().as_u16(), allow)
    };
    assert_eq!(status("DELETE", "/v1/all/x"), (405, Some("GET, HEAD, POST".to_owned())));
    assert_eq!(status("GET", "/v1/link"), (405, Some("LINK".to_owned())));
    assert_eq!(status("GET", "/v1/nothing"), (404, None));
    assert_eq!(status("GET", "/v1/all/%ff"), (400, None));
}

/// JSON whose names are mostly the message's own, so that most of it is read deeply.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => proptest::sample::select(vec!["name", "smallNumber", "large", "real", "yes", "blob", "colour", "words", "inner", "inners",
            "named", "when", "wait", "updateMask", "wrapped", "any", "counts", "id", "count", "all"]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "-?[0-9]{1,20}(\\.[0-9]{0,12})?(e[0-9]{1,3})?s?".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,12})?(Z|[+-][0-9]{2}:[0-9]{2})".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(name.clone(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_body_is_read_or_refused_by_a_field_whatever_it_is(body in any_json()) {
        if let Err(error) = posted(&body.to_string()) {
            prop_assert!(error.violations().iter().all(|violation| !violation.field.is_empty() || body.get("").is_some()));
        }
    }

    #[test]
    fn a_query_is_read_or_refused_whatever_it_is(query in "([a-z_.]{0,12}(=|%|\\+|&|[0-9A-F]{2})){0,6}.{0,20}") {
        if let Err(error) = queried(&query) {
            prop_assert_eq!(error.violations().len(), 1);
        }
    }
}
