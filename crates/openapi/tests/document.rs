//! The document of weft's own contracts, and of one that has every kind of field.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};
use weft_call::{Contract, Declares as _};
use weft_contracts_auth::AuthContract;
use weft_contracts_catalog::CatalogContract;
use weft_contracts_events::EventsContract;
use weft_contracts_orders::OrdersContract;
use weft_openapi::{Document, Info, OpenApiError};

const CONTRACTS: [&Contract; 4] =
    [AuthContract::CONTRACT, CatalogContract::CONTRACT, EventsContract::CONTRACT, OrdersContract::CONTRACT];

fn info() -> Info {
    Info { title: "weft".to_owned(), version: "1".to_owned(), description: "An API.".to_owned() }
}

fn of_weft() -> Value {
    serde_json::from_str(&Document::of_contracts(&info(), &CONTRACTS).unwrap().to_json()).unwrap()
}

fn kinds() -> Vec<u8> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let mut compiler = protox::Compiler::new([format!("{folder}/tests"), format!("{folder}/../../proto")]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_file("every/kind/v1/kinds.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

fn of_kinds() -> Value {
    let document = Document::of_descriptors(&info(), &kinds(), None).unwrap();
    serde_json::from_str(&document.to_json()).unwrap()
}

/// Every value under this key, however deep.
fn under<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|value| under(value, key, found));
        }
        Value::Array(items) => items.iter().for_each(|value| under(value, key, found)),
        _ => {}
    }
}

fn parameter<'v>(operation: &'v Value, name: &str) -> &'v Value {
    operation["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == name).unwrap()
}

fn names(parameters: &Value) -> Vec<String> {
    let parameters = parameters.as_array().unwrap().iter();
    parameters.map(|parameter| format!("{} {}", parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap())).collect()
}

#[test]
fn whatever_is_referred_to_is_there() {
    for document in [of_weft(), of_kinds()] {
        let mut references = Vec::new();
        under(&document, "$ref", &mut references);
        assert!(references.len() > 20);
        for reference in references {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some_and(|found| found != &json!({})), "{pointer}");
        }
    }
}

#[test]
fn no_two_operations_have_one_id() {
    for document in [of_weft(), of_kinds()] {
        let mut ids = Vec::new();
        under(&document["paths"], "operationId", &mut ids);
        let different: HashSet<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!(different.len(), ids.len(), "{ids:?}");
    }
}

#[test]
fn every_route_that_users_may_call_is_shown_and_no_other() {
    let document = of_weft();
    let methods = CONTRACTS.iter().flat_map(|contract| contract.services).flat_map(|service| service.methods);
    let served = methods.filter(|method| method.serves_users()).flat_map(|method| method.http);
    let expected: BTreeSet<_> =
        served.map(|route| format!("{} {}", route.method.as_str(), route.template.replace("product.id", "id"))).collect();
    let shown =
        document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        });
    assert_eq!(shown.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_same_descriptors_give_the_same_bytes() {
    let again = || Document::of_contracts(&info(), &CONTRACTS).unwrap().to_json();
    assert_eq!(again(), again());
}

#[test]
fn what_the_contract_says_of_a_call_is_said() {
    let document = of_weft();
    let create = &document["paths"]["/api/v1/orders"]["post"];
    assert_eq!(create["operationId"], "Orders_CreateOrder");
    assert_eq!(create["summary"], "Places an order for the caller");
    let about = create["description"].as_str().unwrap();
    for said in ["`orders.create`", "3 s", "`Idempotency-Key`", "1000 times a second"] {
        assert!(about.contains(said), "{said} in {about}");
    }
    assert_eq!(names(&create["parameters"]), ["header Idempotency-Key"]);
    assert_eq!(create["security"], json!([{"accessToken": []}, {"apiKey": []}]));
    assert_eq!(document["paths"]["/api/v1/auth/login"]["post"]["security"], json!([]), "anyone may call it");
    let made = &create["responses"]["201"];
    assert_eq!(made["headers"]["Location"]["$ref"], "#/components/headers/Location");
    assert_eq!(made["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/weft.orders.v1.Order");
}

#[test]
fn a_failure_is_listed_with_its_reasons_under_its_status() {
    let document = of_weft();
    let answers = &document["paths"]["/api/v1/orders/{id}"]["get"]["responses"];
    let about = |status: &str| answers[status]["description"].as_str().unwrap_or_default();
    for (status, reason) in [
        ("400", "VALIDATION_FAILED"),
        ("401", "CREDENTIALS_EXPIRED"),
        ("403", "PERMISSION_MISSING"),
        ("404", "`ORDER_NOT_FOUND`: No such order exists"),
        ("503", "UPSTREAM_UNAVAILABLE"),
        ("504", "DEADLINE_SPENT"),
    ] {
        assert!(about(status).contains(reason), "{status}: {}", about(status));
    }
    assert!(answers["413"].is_null(), "it takes no body");
    let registered = &document["paths"]["/api/v1/auth/register"]["post"]["responses"];
    assert!(registered["409"]["description"].as_str().unwrap().contains("EMAIL_TAKEN"));
    assert!(registered["403"].is_null(), "anyone may call it");
    let listed = &document["paths"]["/api/v1/auth/api-keys"]["get"]["responses"];
    assert!(listed["409"].is_null(), "it only reads");
}

#[test]
fn path_and_query_hold_what_the_body_does_not() {
    let document = of_weft();
    let list = &document["paths"]["/api/v1/products"]["get"];
    let expected = ["pageSize", "pageToken", "search", "orderBy", "showDeleted", "filter"].map(|name| format!("query {name}"));
    assert_eq!(names(&list["parameters"]), expected);
    assert_eq!(parameter(list, "search")["schema"], json!({"type": "string", "maxLength": 200}));
    assert_eq!(parameter(list, "showDeleted")["schema"], json!({"type": "boolean"}));
    let update = &document["paths"]["/api/v1/products/{id}"]["patch"];
    assert_eq!(names(&update["parameters"]), ["path id", "query updateMask", "header If-Match"]);
    let body = &update["requestBody"]["content"]["application/json"]["schema"];
    assert!(body["properties"]["id"].is_null(), "the path has it");
    assert_eq!(body["required"], Value::Null, "a change may be of any field");
    let ids = parameter(&document["paths"]["/api/v1/variants:batchGet"]["get"], "ids");
    assert_eq!((&ids["required"], &ids["explode"]), (&json!(true), &json!(true)));
    assert_eq!(ids["schema"]["items"], json!({"type": "string", "format": "uuid"}));
}

#[test]
fn a_query_reaches_what_a_text_can_spell() {
    let document = of_kinds();
    let find = &document["paths"]["/v1/shelves/{parent_1}/rows/{parent_2}/things"]["get"];
    let expected = [
        "path parent_1",
        "path parent_2",
        "query filter.colour",
        "query filter.longerThan",
        "query order",
        "query readMask",
        "query size",
    ];
    assert_eq!(names(&find["parameters"]), expected);
    assert_eq!(parameter(find, "filter.longerThan")["schema"]["$ref"], "#/components/schemas/int64");
    assert_eq!(parameter(find, "size")["schema"], json!({"type": "string", "enum": ["small", "large", ""]}));
}

#[test]
fn every_kind_of_field_has_the_json_that_it_is_written_in() {
    let document = of_kinds();
    let thing = &document["components"]["schemas"]["every.kind.v1.Thing"]["properties"];
    let without_about = |name: &str| {
        let mut schema = thing[name].clone();
        schema.as_object_mut().unwrap().remove("description");
        schema
    };
    for (name, expected) in [
        ("length", json!({"$ref": "#/components/schemas/int64"})),
        ("count", json!({"$ref": "#/components/schemas/uint64"})),
        ("small", json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX})),
        ("data", json!({"type": "string", "format": "byte", "contentEncoding": "base64"})),
        ("otherColour", json!({"$ref": "#/components/schemas/every.kind.v1.Colour"})),
        ("time", json!({"type": "string", "format": "date-time", "readOnly": true})),
        ("perhaps", json!({"$ref": "#/components/schemas/int64"})),
        ("labels", json!({"type": "array", "items": {"type": "string"}})),
        ("inner", json!({"type": "array", "items": {"$ref": "#/components/schemas/every.kind.v1.Thing"}})),
        ("free", json!({"type": "object"})),
        ("secret", json!({"type": "string"})),
    ] {
        assert_eq!(without_about(name), expected, "{name}");
    }
    assert_eq!(thing["length"]["description"], "How long it is.");
    assert_eq!(thing["takes"]["pattern"], r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$");
    assert_eq!(thing["parts"]["additionalProperties"], json!({"type": "string"}));
    assert!(thing["parts"]["propertyNames"]["pattern"].is_string());
    assert_eq!(
        document["components"]["schemas"]["every.kind.v1.Colour"]["enum"],
        json!(["COLOUR_UNSPECIFIED", "COLOUR_RED", "COLOUR_GREEN"])
    );
    assert!(document["components"]["schemas"]["every.kind.v1.Thing"]["required"].is_null(), "answers leave out what is not set");
}

#[test]
fn requests_are_held_to_the_rules_of_the_contract() {
    let document = of_kinds();
    let thing = &document["components"]["schemas"]["every.kind.v1.Thing-Input"];
    assert_eq!(thing["additionalProperties"], json!(false));
    assert_eq!(thing["required"], json!(["id", "name", "small", "colour", "labels"]));
    let fields = &thing["properties"];
    assert_eq!(fields["id"]["format"], "uuid");
    assert_eq!(fields["name"]["minLength"], 1);
    assert_eq!((&fields["small"]["minimum"], &fields["small"]["exclusiveMaximum"]), (&json!(1), &json!(10)));
    assert_eq!(fields["data"]["maxLength"], 8, "four bytes are eight characters");
    assert_eq!(fields["colour"]["enum"], json!(["COLOUR_RED", "COLOUR_GREEN"]));
    assert_eq!(fields["labels"]["uniqueItems"], json!(true));
    assert_eq!(fields["labels"]["items"]["maxLength"], 5);
    assert_eq!(fields["secret"]["format"], "password");
    assert_eq!(fields["reference"]["anyOf"], json!([{"type": "string", "format": "uuid"}, {"const": ""}]));
    let contact = &thing["allOf"][0]["oneOf"];
    assert_eq!((&contact[0], &contact[1]), (&json!({"required": ["mail"]}), &json!({"required": ["telephone"]})));
    assert_eq!(contact.as_array().unwrap().len(), 3, "or none of them");
}

#[test]
fn streams_have_a_form_for_each_way_of_asking_the_contract_s_own_first() {
    let document = Document::of_descriptors(&info(), &kinds(), None).unwrap().to_json();
    let place = |text: &str| document.find(text).unwrap();
    let begin = place("\"operationId\":\"Things_FindThings\"");
    let of_find = &document[begin..];
    let at = |kind: &str| of_find.find(kind).unwrap();
    assert!(at("application/x-ndjson") < at("application/json") && at("application/json") < at("text/event-stream"));
    assert!(of_find.contains("`[DONE]`"));
    let document = of_kinds();
    let taken = document["paths"]["/v1/things:take"]["post"]["requestBody"]["content"].as_object().unwrap();
    assert_eq!(taken.keys().collect::<Vec<_>>(), ["application/json", "application/x-ndjson"]);
    let exchange = &document["paths"]["/v1/files/{content_type}"]["post"];
    assert_eq!(exchange["requestBody"]["content"], json!({"*/*": {"schema": {}}}));
    assert!(parameter(exchange, "content_type")["description"].as_str().unwrap().contains("slashes"));
}

#[test]
fn a_method_has_an_operation_for_each_of_its_routes() {
    let document = of_kinds();
    assert_eq!(document["paths"]["/v1/things"]["post"]["operationId"], "Things_CreateThing");
    let other = &document["paths"]["/v1/shelves/{id}/things"]["put"];
    assert_eq!(other["operationId"], "Things_CreateThing_2");
    assert!(other["requestBody"]["content"]["application/json"]["schema"]["properties"]["id"].is_null(), "the path has it");
    assert_eq!(document["paths"]["/v1/things/{thing_id}"]["patch"]["deprecated"], json!(true));
    assert!(other["security"].is_null(), "nothing is known of who may call");
}

#[test]
fn a_size_in_bytes_is_said_in_characters_so_that_it_holds_for_each_text() {
    let document = of_weft();
    let password = &document["components"]["schemas"]["weft.auth.v1.RegisterRequest"]["properties"]["password"];
    assert_eq!(
        (&password["minLength"], &password["maxLength"]),
        (&json!(2), &json!(1024)),
        "two characters can have eight bytes"
    );
    assert_eq!((&password["x-min-bytes"], &password["x-max-bytes"]), (&json!(8), &json!(1024)));
}

#[test]
fn a_message_that_is_asked_for_has_an_example() {
    let document = of_weft();
    let example = &document["paths"]["/api/v1/orders"]["post"]["requestBody"]["content"]["application/json"]["example"];
    let line = json!({"variantId": "0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50", "quantity": 1});
    assert_eq!(example, &json!({"lines": [line], "note": "note"}));
}

#[test]
fn only_the_services_that_are_served_are_shown() {
    let services = BTreeSet::from(["other.Service".to_owned()]);
    let document = Document::of_descriptors(&info(), &kinds(), Some(&services)).unwrap();
    let document: Value = serde_json::from_str(&document.to_json()).unwrap();
    assert_eq!(document["paths"], json!({}));
}

#[test]
fn what_is_no_descriptor_set_is_refused() {
    assert!(matches!(Document::of_descriptors(&info(), b"\xff\xff", None), Err(OpenApiError::Malformed(_))));
}

#[test]
fn people_read_the_same() {
    let text = Document::of_contracts(&info(), &CONTRACTS).unwrap().to_markdown();
    for line in [
        "# weft",
        "## Orders",
        "### `POST /api/v1/orders/{id}:cancel`",
        "| `pageSize` | query | int32, at least 0 | How many at most; 50 if it is 0, and never more than 200. A page of large orders may hold fewer. |",
        "### weft.orders.v1.Order",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}
