//! Where methods are served as REST.

use crate::given::{Given, refused};

const POLICY: &str = "option (weft.mesh.v1.call) = { public: true deadline: { seconds: 1 } };";

fn http(rule: &str) -> Given {
    Given::method(&format!("{POLICY} option (google.api.http) = {{ {rule} }};"))
}

#[test]
fn a_template_can_be_read() {
    refused(vec![
        (http("get: 'v1/items'"), "Shop.Buy: its path `v1/items` does not begin with `/`"),
        (http("get: '/v1/{id'"), "Shop.Buy: its path `/v1/{id` `{id` is no segment"),
        (http("get: '/v1/**/more'"), "Shop.Buy: its path `/v1/**/more` goes on after `**`, which matches the rest"),
        (http("body: '*'"), "Shop.Buy: its HTTP binding has no method and no path"),
        (
            http("get: '/v1' additional_bindings { get: '/v2' additional_bindings { get: '/v3' } }"),
            "Shop.Buy: its additional binding has additional bindings",
        ),
    ]);
}

#[test]
fn a_binding_names_fields_that_exist() {
    refused(vec![
        (http("get: '/v1/{gone}'"), "Shop.Buy: its path names `gone`, which is no field of shop.v1.BuyRequest"),
        (http("get: '/v1/{item.gone}'"), "Shop.Buy: its path names `item.gone`, which is no field of shop.v1.BuyRequest"),
        (http("get: '/v1/{id.name}'"), "Shop.Buy: its path names `id.name`, which is no field of shop.v1.BuyRequest"),
        (http("get: '/v1/{item}'"), "Shop.Buy: its path names `item`, which is no single value of shop.v1.BuyRequest"),
        (http("get: '/v1/{tags}'"), "Shop.Buy: its path names `tags`, which is no single value of shop.v1.BuyRequest"),
        (http("post: '/v1' body: 'gone'"), "Shop.Buy: its body is `gone`, which is no field of shop.v1.BuyRequest"),
        (
            http("get: '/v1' response_body: 'gone'"),
            "Shop.Buy: its response body is `gone`, which is no field of shop.v1.BuyResponse",
        ),
        (http("get: '/v1' body: '*'"), "Shop.Buy: its GET has a body"),
    ]);
    http("post: '/v1/{item.name=a/*}/{id}:go' body: 'item' response_body: 'item'").code();
}

#[test]
fn a_route_is_served_by_one_method() {
    let method = |name: &str, rule: &str| {
        format!(
            "// A method.\nrpc {name}(BuyRequest) returns (BuyResponse) {{ {POLICY} option (google.api.http) = {{ {rule} }}; }}\n"
        )
    };
    let two = |first: &str, second: &str| Given::service("", &(method("Buy", first) + &method("Sell", second)));
    refused(vec![
        (
            two("get: '/v1/{id}'", "get: '/v1/{item.name}'"),
            "Shop.Sell: its route GET /v1/{item.name} is served by shop.v1.Shop.Buy already",
        ),
        (
            two("get: '/v1/{id=a/*}'", "put: '/v2' additional_bindings { get: '/v1/a/{id}' }"),
            "Shop.Sell: its route GET /v1/a/{id} is served by shop.v1.Shop.Buy already",
        ),
        (
            http("custom: { kind: 'LINK' path: '/v1' } additional_bindings { custom: { kind: 'LINK' path: '/v1' } }"),
            "Shop.Buy: its route LINK /v1 is served by shop.v1.Shop.Buy already",
        ),
    ]);
    two("get: '/v1/{id}'", "delete: '/v1/{id}'").code();
    two("get: '/v1/{id}'", "get: '/v1/{id}:sell'").code();
}

#[test]
fn a_route_of_an_imported_package_is_taken() {
    let other = "syntax = \"proto3\"; package other.v1; import \"google/api/annotations.proto\";\n\
                 service Other { rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: \"/v1/{id}\" }; } }\n\
                 message Thing { string id = 1; }";
    let text = format!(
        "import \"other/v1/other.proto\";\n// Sells.\nservice Shop {{\n// Gets.\nrpc Get(M) returns (M) {{ {POLICY} \
         option (google.api.http) = {{ get: '/v1/{{key}}' }}; }} }}\n// A message.\nmessage M {{\n// A key.\nstring key = 1; }}"
    );
    let given = Given::package(&text).file("other/v1/other.proto", other);
    refused(vec![(given, "Shop.Get: its route GET /v1/{key} is served by other.v1.Other.Get already")]);
}
