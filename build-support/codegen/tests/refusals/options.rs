//! What methods, reasons and events must declare.

use crate::given::{Given, refused};

const REST: &str = "deadline: { seconds: 1 }";

fn access(policy: &str) -> Given {
    Given::policy(&format!("{policy} {REST}"))
}

fn more(policy: &str) -> Given {
    Given::policy(&format!("authenticated: true {policy}"))
}

#[test]
fn a_method_says_who_may_call_it() {
    const NOTHING: &str = "Shop.Buy: says nothing of access: declare `public`, `authenticated`, `permission` or `callers`";
    refused(vec![
        (access(""), NOTHING),
        (Given::method(""), &format!("{NOTHING}\nShop.Buy: has no deadline: every unary method has one")),
        (access("public: true authenticated: true"), "Shop.Buy: is `public` and asks for more: `public` stands alone"),
        (access("public: true callers: 'cart'"), "Shop.Buy: is `public` and asks for more: `public` stands alone"),
        (access("authenticated: true any_of: true"), "Shop.Buy: says `any_of` and has not two conditions to choose from"),
        (access("callers: 'cart' roles: 'staff'"), "Shop.Buy: names `roles` and no `permission` that they hold"),
    ]);
}

#[test]
fn a_unary_method_has_a_deadline_of_at_most_an_hour() {
    refused(vec![
        (more(""), "Shop.Buy: has no deadline: every unary method has one"),
        (more("deadline: {}"), "Shop.Buy: its deadline leaves no time"),
        (more("deadline: { seconds: -1 }"), "Shop.Buy: its deadline leaves no time"),
        (more("deadline: { seconds: 3600 nanos: 1 }"), "Shop.Buy: its deadline of 3600.000000001s is more than an hour"),
    ]);
    more("deadline: { seconds: 3600 }").code();
    let stream = "// Buys.\nrpc Buy(BuyRequest) returns (stream BuyResponse) { \
                  option (weft.mesh.v1.call) = { authenticated: true }; }";
    Given::service("", stream).code();
}

#[test]
fn a_limit_says_who_shares_how_much() {
    refused(vec![
        (more("deadline: { seconds: 1 } limit: { rate: 1 }"), "Shop.Buy: has a limit and says not who shares it: set `per`"),
        (more("deadline: { seconds: 1 } limit: { per: USER }"), "Shop.Buy: has a limit of no calls at all: set `rate`"),
    ]);
}

#[test]
fn only_the_answer_of_a_unary_method_is_kept() {
    let stream = "// Buys.\nrpc Buy(stream BuyRequest) returns (BuyResponse) { \
                  option (weft.mesh.v1.call) = { authenticated: true idempotency: KEYED }; }";
    refused(vec![(Given::service("", stream), "Shop.Buy: is KEYED and streams: only the answer of a unary method can be kept")]);
}

#[test]
fn only_what_reads_in_one_tenant_is_answered_by_a_replica() {
    const REFUSED: &str = "Shop.Buy: may be answered from a `replica`, and is not READ or works across tenants";
    let method = |policy: &str| more(&format!("deadline: {{ seconds: 1 }} replica: true {policy}"));
    refused(vec![
        (method(""), REFUSED),
        (method("idempotency: KEYED"), REFUSED),
        (method("idempotency: READ system: 'counts all'"), REFUSED),
    ]);
    method("idempotency: READ").code();
}

fn reasons(values: &str) -> Given {
    Given::package(&format!(
        "// Why.\nenum ShopReason {{ option (weft.mesh.v1.reasons) = true;\n// Not said.\nSHOP_REASON_NONE = 0;\n{values} }}"
    ))
}

#[test]
fn a_reason_has_a_code_of_failure_and_a_name_of_its_own() {
    refused(vec![
        (reasons("// Sold.\nSOLD = 1;"), "ShopReason.SOLD: has no code: say `[(weft.mesh.v1.code) = ...]`"),
        (
            reasons("// Sold.\nSOLD = 1 [(weft.mesh.v1.code) = OK];"),
            "ShopReason.SOLD: has the code OK: a reason is one of failure",
        ),
        (
            reasons(
                "// Sold.\nSOLD = 1 [(weft.mesh.v1.code) = NOT_FOUND];\n\
                 // Sold.\nSHOP_REASON_SOLD = 2 [(weft.mesh.v1.code) = NOT_FOUND];",
            ),
            "ShopReason.SHOP_REASON_SOLD: differs from SOLD in its prefix only",
        ),
        (
            Given::package(
                "// Why.\nenum Why { option (weft.mesh.v1.reasons) = true;\n\
                 // Not said.\nNOT_SAID = 0 [(weft.mesh.v1.code) = UNKNOWN]; }",
            ),
            "Why.NOT_SAID: is the zero that stands for no reason: it has no code",
        ),
    ]);
}

#[test]
fn a_package_has_one_list_of_reasons_and_they_travel_in_errors_only() {
    let list = |name: &str| {
        format!("// Why.\nenum {name} {{ option (weft.mesh.v1.reasons) = true;\n// Not said.\n{name}_NONE = 0; }}\n")
    };
    refused(vec![
        (Given::package(&(list("A") + &list("B"))), "B: is a second list of reasons: a package has one"),
        (
            Given::package(&(list("A") + "// M.\nmessage M {\n// R.\nrepeated A r = 1;\n// S.\nmap<int32, A> s = 2; }")),
            "M.r: holds a reason: reasons travel in errors only\nM.s: holds a reason: reasons travel in errors only",
        ),
    ]);
}

#[test]
fn a_topic_is_dotted_words_and_declared_once() {
    let event = |name: &str, topic: &str| {
        format!(
            "// An event.\nmessage {name} {{ option (weft.mesh.v1.event) = {{ topic: \"{topic}\" key: \"id\" }};\n\
             // A field.\nstring id = 1; }}\n"
        )
    };
    let topic = |topic: &str| Given::package(&event("Bought", topic));
    let words =
        |topic: &str| format!("Bought: its topic `{topic}` must be dotted lower-case words, such as `events.order.created`");
    refused(vec![
        (topic("bought"), &words("bought")),
        (topic("events.Bought"), &words("events.Bought")),
        (topic("events..bought"), &words("events..bought")),
        (topic(""), &words("")),
        (
            Given::package(&(event("Bought", "events.bought") + &event("Sold", "events.bought"))),
            "Sold: its topic `events.bought` is declared by shop.v1.Bought already",
        ),
    ]);
}

#[test]
fn an_event_is_followed_by_a_permission_of_its_own_contract() {
    let event = |permission: &str| {
        let option = format!("topic: \"events.bought\" key: \"id\" permission: \"{permission}\"");
        format!("// An event.\nmessage Bought {{ option (weft.mesh.v1.event) = {{ {option} }};\n// A field.\nstring id = 1; }}\n")
    };
    refused(vec![(
        Given::package(&event("shop.look")),
        "Bought: its permission `shop.look` is none that a service of the contract declares",
    )]);
}

#[test]
fn an_event_is_ordered_by_a_string_of_its_own() {
    let event = |key: &str| {
        let fields =
            "string id = 1;\n// N.\nint64 number = 2;\n// L.\nrepeated string list = 3;\n// O.\noptional string maybe = 4;";
        let option = format!("option (weft.mesh.v1.event) = {{ topic: \"events.bought\" {key} }};");
        Given::package(&format!("// An event.\nmessage Bought {{ {option}\n// I.\n{fields} }}"))
    };
    let must = |key: &str| format!("Bought: its key `{key}` must be one of its fields, a single string outside of any oneof");
    let keyed = |key: &str| event(&format!("key: \"{key}\""));
    refused(vec![
        (event(""), &must("")),
        (keyed("gone"), &must("gone")),
        (keyed("number"), &must("number")),
        (keyed("list"), &must("list")),
        (keyed("maybe"), &must("maybe")),
    ]);
    assert!(keyed("id").code().contains("impl ::weft_call::Event for Bought"));
}

fn softly(keep: &str, fields: &str, methods: &str) -> Given {
    Given::package(&format!(
        "// A resource.\nmessage Shelf {{ option (weft.mesh.v1.soft_delete) = {{ {keep} }};\n{fields} }}\n\
         // Asks.\nmessage Ask {{\n// Also deleted ones.\nbool show_deleted = 1; }}\n\
         // Answers.\nmessage Shelves {{\n// What was found.\nrepeated Shelf shelves = 1; }}\n\
         // Sells.\nservice Shop {{\n{methods} }}"
    ))
}

#[test]
fn what_is_deleted_softly_can_be_seen_and_taken_back() {
    const KEEP: &str = "keep: { seconds: 3600 }";
    const TIMES: &str =
        "// When.\ngoogle.protobuf.Timestamp delete_time = 1;\n// Until.\ngoogle.protobuf.Timestamp purge_time = 2;";
    let method = |name: &str, output: &str| {
        format!(
            "// Does.\nrpc {name}(Ask) returns ({output}) {{ \
             option (weft.mesh.v1.call) = {{ authenticated: true {REST} }}; }}\n"
        )
    };
    let methods = method("UndeleteShelf", "Shelf") + &method("ListShelves", "Shelves");
    let code = softly(KEEP, TIMES, &methods).code();
    assert!(code.contains("SoftDelete for Shelf") && code.contains("from_secs(3600u64)"), "{code}");
    let too_short = "Shelf: is deleted softly: `keep` must be an hour at least, in whole seconds";
    refused(vec![
        (softly("", TIMES, &methods), too_short),
        (softly("keep: { seconds: 3599 }", TIMES, &methods), too_short),
        (softly("keep: { seconds: -1 }", TIMES, &methods), too_short),
        (softly("keep: { seconds: 3600 nanos: 1 }", TIMES, &methods), too_short),
        (
            softly(KEEP, "// When.\nstring delete_time = 1;", &methods),
            "Shelf: is deleted softly and has no google.protobuf.Timestamp `delete_time`\n\
             Shelf: is deleted softly and has no google.protobuf.Timestamp `purge_time`",
        ),
        (
            softly(KEEP, TIMES, &(method("UndeleteShelf", "Shelves") + &method("FindShelves", "Shelves"))),
            "Shelf: is deleted softly and has no method UndeleteShelf that returns it\n\
             Shelf: is deleted softly and has no method List.. whose request has a bool `show_deleted`",
        ),
    ]);
}
