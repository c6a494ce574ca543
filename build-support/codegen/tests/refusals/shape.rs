//! What a contract consists of, and what must stand beside it.

use crate::given::{Given, refused};

const OTHER: &str = "syntax = \"proto3\"; package other.v1;\nmessage Thing {}\nenum Kind { ZERO = 0; }";

#[test]
fn everything_has_a_comment() {
    let bare = "service Shop { rpc Buy(M) returns (M) { option (weft.mesh.v1.call) = { public: true deadline: { seconds: 1 } }; } }\n\
                message M { string f = 1; oneof o { string g = 2; } optional string h = 3; map<string, E> m = 4;\n\
                enum E { Z = 0; } message N {} }";
    let names = ["Shop", "Shop.Buy", "M", "M.f", "M.g", "M.h", "M.m", "M.o", "M.N", "M.E", "M.E.Z"];
    let expected: Vec<_> = names.map(|name| format!("{name}: has no comment: the contract is its documentation")).into();
    refused(vec![(Given::package(bare), &expected.join("\n"))]);
}

#[test]
fn a_package_has_one_service() {
    let service = |name: &str| format!("// A service.\nservice {name} {{}}\n");
    refused(vec![(
        Given::package(&(service("Shop") + &service("Till"))),
        "Till: is a second service beside Shop: a package has one",
    )]);
}

#[test]
fn the_names_of_what_is_generated_are_free() {
    let text = "// A service.\nservice Till {}\n// A message.\nmessage TillClient {}\n// A message.\nmessage ShopContract {}";
    refused(vec![(
        Given::package(text),
        "TillClient: has the name of something that is generated\nShopContract: has the name of something that is generated",
    )]);
}

#[test]
fn a_domain_is_a_plain_word() {
    refused(vec![(
        Given::service("domain: 'Corner-Shop'", ""),
        "Shop: its domain `Corner-Shop` must be lower-case letters, digits and `_`, a letter first",
    )]);
}

#[test]
fn a_contract_is_proto3_of_one_package() {
    refused(vec![(Given::new("syntax = \"proto2\"; package shop.v1;"), "shop.v1: is no proto3: contracts are")]);
    assert_eq!(Given::new("syntax = \"proto3\";").error().to_string(), "shop/v1/shop.proto names no package");
    let mut two = Given::package("").file("other/v1/other.proto", OTHER);
    two.contract = two.contract.file("other/v1/other.proto");
    assert_eq!(two.error().to_string(), "shop.v1 and other.v1 are two packages: a contract is one");
}

#[test]
fn types_of_other_files_and_packages_are_accounted_for() {
    let text = "syntax = \"proto3\"; package shop.v1;\nimport \"other/v1/other.proto\"; import \"shop/v1/more.proto\";\n\
                // A message.\nmessage M {\n// A field.\nother.v1.Thing thing = 1;\n// A field.\nmap<string, other.v1.Kind> kinds = 2;\n\
                // A field.\nMore more = 3; }";
    let given = || {
        Given::new(text)
            .file("other/v1/other.proto", OTHER)
            .file("shop/v1/more.proto", "syntax = \"proto3\"; package shop.v1;\n// More.\nmessage More {}")
    };
    let add = "add `.uses(\"other.v1\", \"::the_crate_that_has_it\")` to the build script";
    let expected = format!(
        "M.thing: uses other.v1.Thing: {add}\nM.kinds: uses other.v1.Kind: {add}\n\
         M.more: uses shop.v1.More: add `.file(\"shop/v1/more.proto\")` to the build script"
    );
    refused(vec![(given(), &expected)]);
    let mut whole = given().uses("other.v1");
    whole.contract = whole.contract.file("shop/v1/more.proto");
    let code = whole.code();
    assert!(code.contains("pub thing: ::core::option::Option<::other::Thing>"), "{code}");
}

#[test]
fn googles_types_are_no_requests() {
    let method = "// Buys.\nrpc Buy(google.protobuf.StringValue) returns (google.protobuf.Empty) { \
                  option (weft.mesh.v1.call) = { public: true deadline: { seconds: 1 } }; }";
    refused(vec![(
        Given::service("", method),
        "Shop.Buy: sends a bare google.protobuf.StringValue: give it a message of its own",
    )]);
}

#[test]
fn what_is_no_protobuf_is_refused_at_its_place() {
    let error = Given::new("syntax = \"proto3\";\npackage shop.v1;\nmessage {}").error();
    assert!(error.to_string().starts_with("shop/v1/shop.proto:3:9:"), "{error}");
    assert_eq!(format!("{error:?}"), error.to_string());
    let error = Given::new("syntax = \"proto3\"; package shop.v1; import \"gone.proto\";").error();
    assert!(error.to_string().contains("import 'gone.proto' not found"), "{error}");
}

#[test]
fn a_path_that_is_none_is_refused() {
    let mut given = Given::package("");
    given.contract = given.contract.runtime("not a path");
    assert_eq!(given.error().to_string(), "`not a path` is no Rust path");
}

#[test]
fn a_list_of_numbers_stays_packed_whatever_options_it_has() {
    let code = Given::field("repeated int32 numbers = 1 [(buf.validate.field).repeated.min_items = 1];").code();
    assert!(code.contains("#[prost(int32, repeated, tag = \"1\")]"), "{code}");
}
