//! Field rules that cannot be compiled.

use crate::given::{Given, refused};

fn field(of_type: &str, rules: &str) -> Given {
    Given::field(&format!("{of_type} f = 1 [{rules}];"))
}

fn not_compiled(rule: &str) -> String {
    format!("Order.f: the rule `{rule}` cannot be compiled; check it in the handler")
}

#[test]
fn a_rule_that_needs_an_interpreter_or_a_clock_is_refused_by_name() {
    let cel = "{ id: 'a' expression: 'this > 1' }";
    refused(vec![
        (field("int32", &format!("(buf.validate.field).cel = {cel}")), &not_compiled("cel")),
        (field("int32", "(buf.validate.field).cel_expression = 'this > 1'"), &not_compiled("cel_expression")),
        (field("repeated int32", &format!("(buf.validate.field).repeated.items.cel = {cel}")), &not_compiled("cel")),
        (field("google.protobuf.Timestamp", "(buf.validate.field).timestamp.lt_now = true"), &not_compiled("timestamp.lt_now")),
        (
            field("google.protobuf.Timestamp", "(buf.validate.field).timestamp.within = { seconds: 1 }"),
            &not_compiled("timestamp.within"),
        ),
        (field("repeated float", "(buf.validate.field).repeated.unique = true"), &not_compiled("repeated.unique")),
        (
            Given::package(&format!("// M.\nmessage M {{ option (buf.validate.message).cel = {cel}; }}")),
            "M: the rule `message.cel` cannot be compiled; check it in the handler",
        ),
    ]);
}

#[test]
fn a_rule_that_weft_does_not_know_is_refused_at_its_place() {
    let error = field("string", "(buf.validate.field).string.ulid = true").error().to_string();
    assert_eq!(error, "shop/v1/shop.proto:13:15: option field '(buf.validate.field).string.ulid' is not defined");
}

#[test]
fn rules_fit_the_type_of_their_field() {
    refused(vec![
        (field("int32", "(buf.validate.field).string.len = 1"), "Order.f: `string` rules do not fit a value of type int32"),
        (field("sint64", "(buf.validate.field).int64.gt = 1"), "Order.f: `int64` rules do not fit a value of type sint64"),
        (
            field("repeated string", "(buf.validate.field).string.len = 1"),
            "Order.f: `string` rules do not fit f, which is repeated",
        ),
        (
            field("map<string, string>", "(buf.validate.field).repeated.min_items = 1"),
            "Order.f: `repeated` rules do not fit f, which is map",
        ),
        (
            field("string", "(buf.validate.field).repeated.min_items = 1"),
            "Order.f: `repeated` rules do not fit a value of type string",
        ),
        (field("Item", "(buf.validate.field).string.len = 1"), "Order.f: `string` rules do not fit a value of type shop.v1.Item"),
        (
            field("google.protobuf.StringValue", "(buf.validate.field).string.len = 1"),
            "Order.f: `string` rules do not fit a value of type google.protobuf.StringValue",
        ),
        (
            field("map<string, int32>", "(buf.validate.field).map.values.string.len = 1"),
            "Order.f: `string` rules do not fit a value of type int32",
        ),
    ]);
}

#[test]
fn a_pattern_is_a_regular_expression() {
    let error = field("string", "(buf.validate.field).string.pattern = '('").error().to_string();
    let expected = "shop/v1/shop.proto: Order.f: its pattern is no regular expression: regex parse error:";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_bound_is_a_number() {
    refused(vec![(field("double", "(buf.validate.field).double = { gt: nan }"), "Order.f: a rule cannot compare with F64(NaN)")]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "// M.\nmessage M {\nint32 a = 1 [(buf.validate.field).string.len = 1];\nbool b = 2 [(buf.validate.field).bytes.len = 1]; }";
    refused(vec![(
        Given::package(text),
        "M.a: has no comment: the contract is its documentation
         M.b: has no comment: the contract is its documentation
         M.a: `string` rules do not fit a value of type int32
         M.b: `bytes` rules do not fit a value of type bool",
    )]);
}
