//! The JSON mapping beyond what the conformance suite asks.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by panicking")]

mod support;

use support::{all, legacy};
use weft_transcode::{EnumCase, Limits, PrintOptions, ReadOptions, Reason, UnknownFields};

/// Why JSON is refused, and where.
fn refusal(json: &str) -> String {
    all().read(json).unwrap_err().to_string()
}

#[test]
fn values_survive_the_way_there_and_back() {
    let all = all();
    for json in [
        "{}",
        r#"{"int32":-5,"int64":"-9223372036854775808","uint64":"18446744073709551615","sint32":-2147483648}"#,
        r#"{"fixed64":"1","sfixed32":-1,"float":1.5,"double":1e+300,"bool":true,"string":"é\"\\\n\u0001","bytes":"AP8="}"#,
        r#"{"double":-0.0,"float":0.1}"#,
        r#"{"colour":"RED","colours":["MINUS",5,"COLOUR_UNSPECIFIED"]}"#,
        r#"{"child":{"child":{"child":{}}},"children":[{},{"int32":1}]}"#,
        r#"{"numbers":[1,2,3],"looseNumbers":[0,-1],"strings":["",""],"doubles":["NaN","Infinity","-Infinity",0]}"#,
        r#"{"labels":{"":"x","k":""},"byNumber":{"-1":{}},"byTruth":{"false":"RED","true":"GREEN"}}"#,
        r#"{"bySigned":{"-9223372036854775808":1},"byFixed":{"18446744073709551615":""}}"#,
        r#"{"values":{"a":null,"b":[1,{"c":"d"}],"e":true}}"#,
        r#"{"choiceNull":null}"#,
        r#"{"choiceNumber":0}"#,
        r#"{"choiceMessage":{}}"#,
        r#"{"timestamp":"2026-11-21T08:30:00.000000001Z","duration":"-0.000001s","mask":"a.bC,d"}"#,
        r#"{"struct":{"a":{"b":[]}},"value":null,"list":[null,[[]]],"empty":{}}"#,
        r#"{"wrappedInt64":"0","wrappedBool":false,"wrappedString":"","wrappedBytes":"","wrappedFloat":"NaN"}"#,
        r#"{"wrappedStrings":["","x"],"shortName":"s","a\"b":"q","farNumber":7,"maybe":0}"#,
        r#"{"any":{"@type":"type.googleapis.com/transcode.test.All","int32":1,"child":{}}}"#,
        r#"{"any":{"@type":"x/google.protobuf.Any","value":{"@type":"x/google.protobuf.Duration","value":"1s"}}}"#,
        r#"{"anys":[{"@type":"x/google.protobuf.Empty"},{},{"@type":"x/transcode.test.All"}]}"#,
    ] {
        assert_eq!(all.through(json).unwrap(), json);
    }
}

#[test]
fn every_accepted_spelling_means_the_same() {
    let all = all();
    for (json, canonical) in [
        (r#"{"int32":"5","uint32":5.0,"int64":5e2,"uint64":"1e1"}"#, r#"{"int32":5,"uint32":5,"int64":"500","uint64":"10"}"#),
        (r#"{"far_number":1,"renamed_field":"x","quoted_field":"y"}"#, r#"{"farNumber":1,"shortName":"x","a\"b":"y"}"#),
        (r#" { "\u0069nt32" : 1 } "#, r#"{"int32":1}"#),
        (r#"{"bytes":"-_8"}"#, r#"{"bytes":"+/8="}"#),
        (r#"{"bytes":"\u002b/8="}"#, r#"{"bytes":"+/8="}"#),
        (r#"{"bytes":"-_8="}"#, r#"{"bytes":"+/8="}"#),
        (r#"{"colour":1,"colours":[99,1.0]}"#, r#"{"colour":"RED","colours":[99,"RED"]}"#),
        (r#"{"string":"\ud83d\ude00\/"}"#, r#"{"string":"😀/"}"#),
        (r#"{"double":"1.5","float":"-Infinity"}"#, r#"{"double":1.5,"float":"-Infinity"}"#),
        (r#"{"float":3.4028235e+38}"#, r#"{"float":3.4028235e+38}"#),
        (r#"{"int32":null,"child":null,"labels":null,"numbers":null,"any":null,"wrappedBool":null}"#, "{}"),
        (r#"{"choiceNumber":null,"choiceString":"x"}"#, r#"{"choiceString":"x"}"#),
        (r#"{"choiceNull":"NULL_VALUE"}"#, r#"{"choiceNull":null}"#),
        (r#"{"int32":0,"string":"","bytes":"","bool":false,"numbers":[],"labels":{},"double":0}"#, "{}"),
        (r#"{"any":{"int32":1,"@type":"x/transcode.test.All"}}"#, r#"{"any":{"@type":"x/transcode.test.All","int32":1}}"#),
        (
            r#"{"any":{"value":"1s","@type":"x/google.protobuf.Duration"}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#,
        ),
        (r#"{"any":{"@type":"x/google.protobuf.Empty","value":{}}}"#, r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#),
        (r#"{"timestamp":"2026-11-21T09:30:00+01:00"}"#, r#"{"timestamp":"2026-11-21T08:30:00Z"}"#),
    ] {
        assert_eq!(all.through(json).unwrap(), canonical, "{json}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_path() {
    for (json, message) in [
        (r#"{"child":{"children":[{},{"int32":"x"}]}}"#, "child.children[1].int32: expected a number"),
        (r#"{"labels":{"a":"b","secret":5}}"#, "labels{1}: expected a string"),
        (r#"{"byNumber":{"x":{}}}"#, "byNumber{0}: expected a number"),
        (r#"{"int32":2147483648}"#, "int32: number out of range"),
        (r#"{"uint32":-1}"#, "uint32: number out of range"),
        (r#"{"float":3.5e38}"#, "float: number out of range"),
        (r#"{"double":1e309}"#, "double: number out of range"),
        (r#"{"int32":1.5}"#, "int32: expected an integer"),
        (r#"{"int32":1e1000000000}"#, "int32: number out of range"),
        (r#"{"int32":true}"#, "int32: expected an integer"),
        (r#"{"bool":"true"}"#, "bool: expected true or false"),
        (r#"{"string":5}"#, "string: expected a string"),
        (r#"{"bytes":"a"}"#, "bytes: invalid base64"),
        (r#"{"bytes":"+_=="}"#, "bytes: invalid base64"),
        (r#"{"colour":"PURPLE"}"#, "colour: unknown enum value"),
        (r#"{"colour":"red"}"#, "colour: unknown enum value"),
        (r#"{"nothing":1}"#, "nothing: unknown field"),
        (r#"{"child":{"no thing!":1}}"#, "child.?: unknown field"),
        (r#"{"int32":1,"int32":1}"#, "int32: field occurs twice"),
        (r#"{"far_number":1,"farNumber":1}"#, "farNumber: field occurs twice"),
        (r#"{"choiceNumber":1,"choiceString":""}"#, "choiceString: another field of the same oneof is set"),
        (r#"{"labels":{"a":"","\u0061":""}}"#, "labels: key occurs twice"),
        (r#"{"struct":{"a":1,"a":2}}"#, "struct: key occurs twice"),
        (r#"{"bySigned":{"1":1,"1.0":2}}"#, "bySigned: key occurs twice"),
        (r#"{"numbers":[1,null]}"#, "numbers[1]: null is not allowed here"),
        (r#"{"labels":{"a":null}}"#, "labels{0}: null is not allowed here"),
        (r#"{"numbers":1}"#, "numbers: expected an array"),
        (r#"{"labels":[]}"#, "labels: expected an object"),
        (r#"{"timestamp":"soon"}"#, "timestamp: invalid timestamp"),
        (r#"{"duration":"1"}"#, "duration: invalid duration"),
        (r#"{"mask":"a_b"}"#, "mask: invalid field mask"),
        (r#"{"any":{"int32":1}}"#, "any: \"@type\" is missing"),
        (r#"{"any":{"@type":"x/no.Such"}}"#, "any: unknown message type in \"@type\""),
        (r#"{"any":{"@type":"x/transcode.test.All","@type":"x/transcode.test.All"}}"#, "any: field occurs twice"),
        (r#"{"any":{"@type":"x/google.protobuf.Duration"}}"#, "any.value: required field is missing"),
        (r#"{"any":{"@type":"x/transcode.test.All","int32":"x"}}"#, "any.int32: expected a number"),
        ("", "invalid JSON: unexpected end"),
        ("null", "null is not allowed here"),
        ("[]", "expected an object"),
        ("{", "invalid JSON: unexpected end"),
        ("{} x", "invalid JSON: unexpected text after the value"),
        (r#"{"int32":1,}"#, "invalid JSON: expected a field name"),
        (r#"{"int32":01}"#, "int32: invalid JSON: expected a number"),
        (r#"{"string":"\ud83d"}"#, "string: invalid JSON: unpaired surrogate in a string"),
        (r#"{"string":"\ude00\ud83d"}"#, "string: invalid JSON: unpaired surrogate in a string"),
        (r#"{"string":"\x"}"#, "string: invalid JSON: invalid escape in a string"),
        ("{\"string\":\"a\nb\"}", "string: invalid JSON: control character in a string"),
    ] {
        let refusal = refusal(json);
        let (without_place, _) = refusal.rsplit_once(" (at byte ").unwrap();
        assert_eq!(without_place, message, "{json}");
    }
    let error = all().read(b"{\"string\":\"a\xff\"}").unwrap_err();
    assert_eq!(error.to_string(), "not valid UTF-8 (at byte 12)");
    let error = all().read("{\"string\":\"\u{e4}\0\"}").unwrap_err();
    assert_eq!(error.reason(), Reason::ControlCharacter);
}

#[test]
fn errors_say_where_reading_stopped() {
    for (json, message) in [
        (r#"{"int32":1,}"#, "invalid JSON: expected a field name (at byte 11)"),
        (r#"{"child":{"int32":true}}"#, "child.int32: expected an integer (at byte 18)"),
        (r#"{"child":{"nothing":true}}"#, "child.nothing: unknown field (at byte 11)"),
        ("{} x", "invalid JSON: unexpected text after the value (at byte 3)"),
        ("", "invalid JSON: unexpected end (at byte 0)"),
    ] {
        assert_eq!(refusal(json), message);
    }
}

#[test]
fn errors_never_repeat_the_input() {
    let secret = "hunter2";
    for json in [
        format!(r#"{{"int32":"{secret}"}}"#),
        format!(r#"{{"colour":"{secret}"}}"#),
        format!(r#"{{"labels":{{"{secret}":1}}}}"#),
        format!(r#"{{"any":{{"@type":"x/{secret}"}}}}"#),
        format!(r#"{{"my {secret}":1}}"#),
        format!(r#"{{"string":"{secret}\x"}}"#),
        format!(r#"{{"timestamp":"{secret}"}}"#),
    ] {
        let error = all().read(&json).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}

#[test]
fn unknown_fields_can_be_ignored() {
    let all = all();
    let options = ReadOptions { unknown_fields: UnknownFields::Ignore, ..ReadOptions::default() };
    for (json, expected) in [
        (r#"{"nothing":{"a":[1,"\u00e4",null,true,-1e9]},"int32":1}"#, r#"{"int32":1}"#),
        (r#"{"colour":"PURPLE","colours":["RED","PURPLE"],"byTruth":{"true":"PURPLE"}}"#, r#"{"colours":["RED"]}"#),
        (r#"{"any":{"@type":"x/transcode.test.All","x":1}}"#, r#"{"any":{"@type":"x/transcode.test.All"}}"#),
        (
            r#"{"any":{"@type":"x/google.protobuf.Duration","x":1,"value":"1s"}}"#,
            r#"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#,
        ),
    ] {
        let wire = all.read_with(json, &options).unwrap();
        assert_eq!(all.print(&wire).unwrap(), expected, "{json}");
    }
    for json in [r#"{"x":}"#, r#"{"x":01}"#, r#"{"x":"\ud800"}"#, r#"{"x":[1,]}"#, r#"{"x":{"a" 1}}"#, r#"{"x":nul}"#] {
        assert!(all.read_with(json, &options).is_err(), "skipped JSON is JSON: {json}");
    }
}

#[test]
fn enum_names_may_ignore_case() {
    let options = ReadOptions { enum_case: EnumCase::Ignore, ..ReadOptions::default() };
    let wire = all().read_with(r#"{"colour":"rEd","colours":["green","GREEN"]}"#, &options).unwrap();
    assert_eq!(all().print(&wire).unwrap(), r#"{"colour":"RED","colours":["GREEN","GREEN"]}"#);
}

#[test]
fn printing_follows_its_options() {
    let all = all();
    let wire = all.read(r#"{"farNumber":1,"colour":"RED","colours":["GREEN",9]}"#).unwrap();
    let numbers = PrintOptions { enums_as_numbers: true, ..PrintOptions::default() };
    assert_eq!(all.print_with(&wire, &numbers).unwrap(), r#"{"farNumber":1,"colour":1,"colours":[2,9]}"#);
    let names = PrintOptions { original_names: true, ..PrintOptions::default() };
    assert_eq!(all.print_with(&wire, &names).unwrap(), r#"{"far_number":1,"colour":"RED","colours":["GREEN",9]}"#);
}

#[test]
fn defaults_are_printed_for_fields_without_presence() {
    let all = all();
    let options = PrintOptions { defaults: true, ..PrintOptions::default() };
    let empty = all.print_with(b"", &options).unwrap();
    for shown in [
        r#""int32":0"#,
        r#""int64":"0""#,
        r#""string":"""#,
        r#""bool":false"#,
        r#""colour":"COLOUR_UNSPECIFIED""#,
        r#""numbers":[]"#,
        r#""labels":{}"#,
        r#""farNumber":0"#,
    ] {
        assert!(empty.contains(shown), "{shown} in {empty}");
    }
    for hidden in ["child\"", "maybe", "choice", "timestamp", "wrappedBool"] {
        assert!(!empty.contains(hidden), "{hidden} in {empty}");
    }
    let wire = all.read(r#"{"farNumber":1,"int32":2,"labels":{"a":"b"}}"#).unwrap();
    let some = all.print_with(&wire, &options).unwrap();
    assert_eq!(some.matches("\"int32\":").count(), 1);
    assert_eq!(some.matches("\"farNumber\":").count(), 1);
    assert_eq!(
        all.print(&all.read(&some).unwrap()).unwrap(),
        r#"{"int32":2,"labels":{"a":"b"},"farNumber":1}"#,
        "defaults change nothing"
    );
}

#[test]
fn fields_in_any_order_are_settled() {
    let all = all();
    let piece = |json: &str| all.read(json).unwrap();
    let joined = |pieces: &[&str]| {
        let wire: Vec<u8> = pieces.iter().flat_map(|json| piece(json)).collect();
        all.print(&wire).unwrap()
    };
    assert_eq!(joined(&[r#"{"int32":1,"string":"a"}"#, r#"{"int32":2}"#]), r#"{"int32":2,"string":"a"}"#, "the last wins");
    assert_eq!(joined(&[r#"{"string":"a"}"#, r#"{"int32":2}"#]), r#"{"string":"a","int32":2}"#, "torn but single");
    assert_eq!(joined(&[r#"{"numbers":[1],"string":"a"}"#, r#"{"numbers":[2]}"#]), r#"{"string":"a","numbers":[1,2]}"#);
    assert_eq!(
        joined(&[r#"{"child":{"int32":1,"children":[{}]}}"#, r#"{"child":{"int32":2,"string":"x","children":[{}]}}"#]),
        r#"{"child":{"int32":2,"string":"x","children":[{},{}]}}"#,
        "messages merge"
    );
    assert_eq!(joined(&[r#"{"labels":{"a":"1","b":"1"}}"#, r#"{"labels":{"a":"2"}}"#]), r#"{"labels":{"b":"1","a":"2"}}"#);
    assert_eq!(joined(&[r#"{"choiceNumber":1}"#, r#"{"choiceString":"x"}"#]), r#"{"choiceString":"x"}"#);
    assert_eq!(
        joined(&[r#"{"choiceMessage":{"int32":1}}"#, r#"{"choiceNumber":1}"#, r#"{"choiceMessage":{"string":"x"}}"#]),
        r#"{"choiceMessage":{"string":"x"}}"#,
        "another member between two pieces drops the first"
    );
    assert_eq!(
        joined(&[r#"{"choiceMessage":{"int32":1}}"#, r#"{"choiceMessage":{"string":"x"}}"#]),
        r#"{"choiceMessage":{"int32":1,"string":"x"}}"#
    );
    assert_eq!(joined(&[r#"{"value":1}"#, r#"{"value":"x"}"#]), r#"{"value":"x"}"#);
    assert_eq!(joined(&[r#"{"struct":{"a":1}}"#, r#"{"struct":{"b":2,"a":3}}"#]), r#"{"struct":{"b":2,"a":3}}"#);
    assert_eq!(
        joined(&[r#"{"timestamp":"2026-01-01T00:00:00.5Z"}"#, r#"{"timestamp":"1970-01-01T00:00:01Z"}"#]),
        r#"{"timestamp":"1970-01-01T00:00:01.500Z"}"#
    );
    assert_eq!(
        joined(&[r#"{"wrappedString":"a"}"#, r#"{"wrappedString":""}"#]),
        r#"{"wrappedString":"a"}"#,
        "an absent field changes nothing"
    );
    assert_eq!(
        joined(&[r#"{"looseNumbers":[1],"numbers":[5]}"#, r#"{"looseNumbers":[2]}"#]),
        r#"{"numbers":[5],"looseNumbers":[1,2]}"#
    );
    assert_eq!(joined(&[r#"{"list":[1]}"#, r#"{"int32":1}"#, r#"{"list":["x"]}"#]), r#"{"int32":1,"list":[1,"x"]}"#);
}

#[test]
fn a_repeated_key_is_found_among_any_number() {
    let all = all();
    for count in [2, 3, 4, 5, 12, 64, 65, 500] {
        let entry = |key: usize, value: &str| format!(r#""key {key}":"{value}""#);
        let entries: Vec<_> = (0..count).map(|key| entry(key, "a")).collect();
        let whole = |entries: &[String]| format!(r#"{{"labels":{{{}}}}}"#, entries.join(","));
        let wire = all.read(whole(&entries)).unwrap();
        assert_eq!(all.print(&wire).unwrap(), whole(&entries), "{count} different keys are no repeat");
        let again = [&entries[..], &[entry(count / 2, "b")]].concat();
        assert_eq!(all.read(whole(&again)).unwrap_err().reason(), Reason::DuplicateKey, "{count} keys and one again");
        // On the wire the last one wins.
        let wire = [wire, all.read(whole(&[entry(count / 2, "b")])).unwrap()].concat();
        let printed = all.print(&wire).unwrap();
        assert_eq!(printed.matches("\":\"").count(), count, "{count} keys and one again");
        assert!(printed.contains(&entry(count / 2, "b")), "{printed}");
    }
}

#[test]
fn packed_and_unpacked_are_both_read() {
    let all = all();
    // Field 21 (packed) as single values, field 22 (unpacked) packed, then both kinds in one run.
    for (wire, json) in [
        (&[0xa8, 0x01, 1, 0xa8, 0x01, 2][..], r#"{"numbers":[1,2]}"#),
        (&[0xb2, 0x01, 2, 1, 2], r#"{"looseNumbers":[1,2]}"#),
        (&[0xa8, 0x01, 1, 0xaa, 0x01, 2, 2, 3, 0xa8, 0x01, 4], r#"{"numbers":[1,2,3,4]}"#),
        (&[0xaa, 0x01, 0], "{}"),
    ] {
        assert_eq!(all.print(wire).unwrap(), json);
    }
}

#[test]
fn wire_that_is_broken_is_refused() {
    let all = all();
    for (wire, reason) in [
        (&[0x08][..], Reason::Truncated),
        (&[0x72, 5, b'a'], Reason::Truncated),
        (&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], Reason::InvalidVarint),
        (&[0x00, 0x01], Reason::InvalidTag),
        (&[0x0e], Reason::InvalidTag),
        (&[0x0c], Reason::UnbalancedGroup),
        (&[0x0b, 0x14], Reason::UnbalancedGroup),
        (&[0x0b], Reason::UnbalancedGroup),
        (&[0x72, 1, 0xff], Reason::InvalidUtf8),
        (&[0xaa, 0x01, 1, 0x80], Reason::Truncated),
    ] {
        assert_eq!(all.print(wire).unwrap_err().reason(), reason, "{wire:x?}");
    }
}

#[test]
fn what_has_no_json_is_refused_with_its_path() {
    let all = all();
    let nested = |field: &[u8], inner: &[u8]| [field, &[inner.len() as u8], inner].concat();
    // timestamp (51), mask (53), value (55) and any (57) with contents that JSON cannot say.
    for (wire, message) in [
        (nested(&[0x9a, 0x03], &[0x10, 0xff, 0xff, 0xff, 0xff, 0x0f]), "timestamp: invalid timestamp (at byte 0)"),
        (nested(&[0xaa, 0x03], &[0x0a, 3, b'a', b'B', b'c']), "mask: invalid field mask (at byte 0)"),
        (nested(&[0xba, 0x03], &[]), "value: value has no kind (at byte 0)"),
        (nested(&[0xba, 0x03], &[0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]), "value.numberValue: number is not finite (at byte 3)"),
        (nested(&[0xca, 0x03], &[0x0a, 3, b'x', b'/', b'y']), "any: unknown message type in \"@type\" (at byte 0)"),
        (nested(&[0xca, 0x03], &[0x12, 1, 0]), "any: \"@type\" is missing (at byte 0)"),
    ] {
        assert_eq!(all.print(&wire).unwrap_err().to_string(), message);
    }
}

#[test]
fn proto2_keeps_its_ways() {
    let legacy = legacy();
    for json in [
        r#"{"id":0,"name":"","loose":[1,2],"tight":[3],"size":"LARGE","sizes":["SMALL"],"byName":{"a":"LARGE"}}"#,
        r#"{"id":1,"part":{"number":2,"whole":{"id":3}},"item":[{"label":"a"},{}]}"#,
        r#"{"id":1,"[transcode.legacy.nickname]":"n","[transcode.legacy.scores]":[1,2],"[transcode.legacy.Holder.held]":{"weight":0}}"#,
    ] {
        assert_eq!(legacy.through(json).unwrap(), json);
    }
    let refused = |json: &str| legacy.read(json).unwrap_err().to_string();
    assert_eq!(refused("{}"), "id: required field is missing (at byte 2)");
    assert_eq!(refused(r#"{"id":1,"part":{"whole":{}}}"#), "part.whole.id: required field is missing (at byte 26)");
    assert_eq!(refused(r#"{"id":1,"size":7}"#), "size: unknown enum value (at byte 16)");
    // An unknown number of a closed enum is an unknown field, wherever it stands: size (5), sizes (6), by_name (7).
    for wire in [&[8, 1, 0x28, 9][..], &[8, 1, 0x30, 9], &[8, 1, 0x3a, 5, 0x0a, 1, b'k', 0x10, 9]] {
        assert_eq!(legacy.print(wire).unwrap(), r#"{"id":1}"#);
    }
    assert_eq!(legacy.print(&[8, 1, 0x28, 1, 0x28, 9]).unwrap(), r#"{"id":1,"size":"SMALL"}"#, "it replaces nothing");
    assert_eq!(legacy.print(&[8, 1, 0x3a, 3, 0x0a, 1, b'k']).unwrap(), r#"{"id":1,"byName":{"k":"SMALL"}}"#);
}

#[test]
fn limits_hold() {
    let all = all();
    let deep = |levels: usize| format!("{}{}", r#"{"child":"#.repeat(levels), "{}".to_owned() + &"}".repeat(levels));
    let wire = all.read(deep(99)).unwrap();
    assert_eq!(all.print(&wire).unwrap(), deep(99));
    assert_eq!(all.read(deep(100)).unwrap_err().reason(), Reason::TooDeep);
    let length = [wire.len() as u8 & 0x7f | 0x80, (wire.len() >> 7) as u8];
    let longer = [&[0x8a, 0x01][..], &length, &wire].concat();
    assert_eq!(all.print(&longer).unwrap_err().reason(), Reason::TooDeep);
    let list = format!(r#"{{"list":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(all.read(list).unwrap_err().reason(), Reason::TooDeep);
    let groups = vec![0x0b; 10_000];
    assert_eq!(all.print(&groups).unwrap_err().reason(), Reason::TooDeep);

    let small = Limits { input: 10, ..Limits::default() };
    let read = ReadOptions { limits: small, ..ReadOptions::default() };
    assert_eq!(all.read_with(r#"{"int32":1}"#, &read).unwrap_err().reason(), Reason::TooLarge);
    let print = PrintOptions { limits: small, ..PrintOptions::default() };
    assert_eq!(all.print_with(&[0; 11], &print).unwrap_err().reason(), Reason::TooLarge);
}

#[test]
fn a_small_message_cannot_become_a_huge_text() {
    let all = all();
    // A million empty children, each of which would print every default.
    let wire = [0xc2, 0x01, 0].repeat(1_000_000);
    let limits = Limits { output: 1 << 20, ..Limits::default() };
    let options = PrintOptions { defaults: true, limits, ..PrintOptions::default() };
    assert_eq!(all.print_with(&wire, &options).unwrap_err().reason(), Reason::TooLarge);
}
