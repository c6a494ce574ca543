//! Whom a service may call, and how long it waits.

use crate::given::{Given, refused};

fn shop(calls: &str, methods: &[(&str, &str, &str)]) -> Given {
    let methods = methods.iter().map(|(name, deadline, calls)| {
        format!(
            "// A method.\nrpc {name}(BuyRequest) returns (BuyResponse) {{ option (weft.mesh.v1.call) = {{ \
             authenticated: true deadline: {{ {deadline} }} calls: [{calls}] }}; }}"
        )
    });
    Given::service(&format!("calls: [{calls}]"), &methods.collect::<Vec<_>>().join("\n")).file("stock/v1/stock.proto", &stock(""))
}

/// A service with a quick method and a slow one.
fn stock(calls: &str) -> String {
    format!(
        "syntax = \"proto3\"; package stock.v1; import \"weft/mesh/v1/options.proto\";\n\
         service Stock {{ option (weft.mesh.v1.service) = {{ calls: [{calls}] }};\n\
         rpc Count(M) returns (M) {{ option (weft.mesh.v1.call) = {{ public: true deadline: {{ seconds: 1 }} }}; }}\n\
         rpc Order(M) returns (M) {{ option (weft.mesh.v1.call) = {{ public: true deadline: {{ seconds: 3 }} }}; }}\n\
         rpc Watch(M) returns (stream M) {{ option (weft.mesh.v1.call) = {{ public: true }}; }} }}\n\
         message M {{}}"
    )
}

const STOCK: &str = "'stock.v1.Stock'";
const COUNT: &str = "'stock.v1.Stock.Count'";
const ORDER: &str = "'stock.v1.Stock.Order'";

#[test]
fn a_called_service_exists_and_has_a_crate() {
    refused(vec![
        (shop("'stock.v1.Gone'", &[]), "Shop: calls stock.v1.Gone, which no file declares"),
        (shop("'gone.v1.Gone'", &[]), "Shop: calls gone.v1.Gone, which no file declares"),
        (
            shop(STOCK, &[]),
            "Shop: calls stock.v1.Stock: add `.uses(\"stock.v1\", \"::the_crate_that_has_it\")` to the build script",
        ),
        (shop("'shop.v1.Shop'", &[]), "Shop: calls itself"),
    ]);
    let code = shop(STOCK, &[]).uses("stock.v1").code();
    assert!(code.contains("impl ::weft_call::Calls<::other::StockClient> for ShopContract {}"), "{code}");
}

#[test]
fn a_called_method_exists_and_its_service_is_listed() {
    let gone = [("Buy", "seconds: 9", "'stock.v1.Stock.Gone'")];
    let unlisted = [("Buy", "seconds: 9", COUNT)];
    refused(vec![
        (shop(STOCK, &gone).uses("stock.v1"), "Shop.Buy: calls stock.v1.Stock.Gone, which no file declares"),
        (shop("", &unlisted), "Shop.Buy: calls stock.v1.Stock.Count, and its service does not list stock.v1.Stock in `calls`"),
    ]);
}

#[test]
fn a_caller_waits_as_long_as_its_callee() {
    let methods = [("Buy", "seconds: 1", COUNT), ("Fill", "seconds: 2 nanos: 500000000", ORDER), ("Look", "nanos: 1", "")];
    refused(vec![(
        shop(STOCK, &methods).uses("stock.v1"),
        "Shop.Fill: its deadline of 2.5s is shorter than the 3s of stock.v1.Stock.Order, which it calls",
    )]);
}

#[test]
fn without_named_callees_no_method_has_less_time_than_all_that_it_could_call() {
    let methods = [("Buy", "seconds: 1", ""), ("Look", "nanos: 999000000", "")];
    refused(vec![(
        shop(STOCK, &methods).uses("stock.v1"),
        "Shop.Look: its deadline of 999ms is shorter than any of stock.v1.Stock, which its service calls: \
         let methods name in `calls` what they call",
    )]);
}

#[test]
fn a_service_does_not_reach_itself() {
    let back = "syntax = \"proto3\"; package mill.v1; import \"weft/mesh/v1/options.proto\";\n\
                service Mill { option (weft.mesh.v1.service) = { calls: ['shop.v1.Shop'] }; }";
    let given = shop(STOCK, &[]).uses("stock.v1").file("mill/v1/mill.proto", back);
    let given = given.file("stock/v1/stock.proto", &stock("'mill.v1.Mill'"));
    refused(vec![(given, "Shop: calls itself by way of stock.v1.Stock and mill.v1.Mill")]);
}

#[test]
fn a_circle_among_others_ends_the_search() {
    let mill = "syntax = \"proto3\"; package mill.v1; import \"weft/mesh/v1/options.proto\";\n\
                service Mill { option (weft.mesh.v1.service) = { calls: ['stock.v1.Stock'] }; }";
    let given = shop(STOCK, &[]).uses("stock.v1").file("mill/v1/mill.proto", mill);
    given.file("stock/v1/stock.proto", &stock("'mill.v1.Mill'")).code();
}
