//! What the binary tells of its REST API.

use serde_json::Value;

use crate::given::weft;

#[test]
fn the_api_is_described_without_anything_being_started() {
    let ended = weft().run(&["openapi"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(document["paths"]["/api/v1/orders"]["post"]["operationId"], "Orders_CreateOrder");
}

#[test]
fn the_reference_in_the_documents_is_what_the_contracts_say() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md")).unwrap();
    let ended = weft().run(&["openapi", "--markdown"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let differs = written.lines().zip(ended.stdout.lines()).find(|(written, told)| written != told);
    assert!(written == ended.stdout, "docs/api.md is not what the contracts say, first at {differs:?}: run `just api-reference`");
}
