//! prost-reflect as an independent opinion: generated schemas, generated messages, both directions.
//!
//! Where the two disagree the conformance suite decides, and where it is silent the text of the JSON mapping, read
//! strictly: `DIFFERENCES` lists what is known. Order is no difference: texts are compared as values. prost-reflect
//! knows no editions, so they are left to the suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::format_push_string,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test fails by panicking, and rolls its numbers"
)]

mod support;

use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage, SerializeOptions, Value,
};
use weft_transcode::{PrintOptions, ReadOptions, Schema, json_to_wire, wire_to_json};

const SCALARS: [&str; 15] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "float", "double",
    "bool", "string", "bytes",
];
const KEYS: [&str; 12] =
    ["int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string"];
const WELL_KNOWN: [&str; 8] = [
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.FieldMask",
    "google.protobuf.Struct",
    "google.protobuf.Value",
    "google.protobuf.ListValue",
    "google.protobuf.Int64Value",
    "google.protobuf.StringValue",
];

/// A field declaration without its number: `repeated int32 NAME`.
fn field_type() -> impl Strategy<Value = (String, &'static str)> {
    let any_type = prop_oneof![
        6 => proptest::sample::select(&SCALARS[..]).prop_map(str::to_owned),
        2 => Just("E".to_owned()),
        3 => (0..4usize).prop_map(|i| format!("M{i}")),
        2 => proptest::sample::select(&WELL_KNOWN[..]).prop_map(str::to_owned),
    ];
    let map =
        (proptest::sample::select(&KEYS[..]), any_type.clone()).prop_map(|(key, value)| (format!("map<{key}, {value}>"), ""));
    prop_oneof![
        3 => any_type.clone().prop_map(|kind| (kind, "")),
        1 => any_type.clone().prop_map(|kind| (kind, "optional ")),
        1 => any_type.clone().prop_map(|kind| (kind, "oneof")),
        2 => any_type.prop_map(|kind| (kind, "repeated ")),
        1 => map,
    ]
}

/// The text of a `.proto` file with four messages `M0` to `M3` and an enum `E`.
fn schema_text() -> impl Strategy<Value = String> {
    let message = proptest::collection::vec((field_type(), 1..3u32), 1..12);
    proptest::collection::vec(message, 4).prop_map(|messages| {
        let mut text = String::from("syntax = \"proto3\"; package t;");
        for file in ["timestamp", "duration", "field_mask", "struct", "wrappers"] {
            text.push_str(&format!("import \"google/protobuf/{file}.proto\";"));
        }
        text.push_str("enum E { ZERO = 0; ONE = 1; FAR = 1000; NEG = -5; }");
        for (i, fields) in messages.iter().enumerate() {
            let (mut plain, mut oneof, mut number) = (String::new(), String::new(), 0);
            for (index, ((kind, label), step)) in fields.iter().enumerate() {
                number += step * step * 3;
                let field = format!("{kind} some_field{index} = {number};");
                if *label == "oneof" { oneof.push_str(&field) } else { plain.push_str(&format!("{label}{field}")) }
            }
            if !oneof.is_empty() {
                oneof = format!("oneof choice {{ {oneof} }}");
            }
            text.push_str(&format!("message M{i} {{ {plain} {oneof} }}"));
        }
        text
    })
}

fn compile(text: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.proto"), text).unwrap();
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.include_imports(true).open_file("t.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// Numbers out of the bits of one, so that a message needs one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// Small, edge or random.
    fn integer(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(5),
            1 => [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 31, (1 << 31) - 1, u64::from(u32::MAX)][self.below(6) as usize],
            2 => self.roll() >> self.below(64),
            _ => self.roll(),
        }
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] =
            ["a", "Z9", "\"", "\\", "\n", "\u{1}", "ä", "😀", "\u{2028}", "/", "longer text without anything", " "];
        (0..self.below(6)).map(|_| PIECES[self.below(12) as usize]).collect()
    }
}

fn scalar(dice: &mut Dice, kind: &Kind, depth: u32) -> Value {
    let bits = dice.integer();
    match kind {
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::String => Value::String(dice.text()),
        Kind::Bytes => Value::Bytes(dice.text().into_bytes().into()),
        Kind::Enum(declared) if declared.full_name() == "google.protobuf.NullValue" => Value::EnumNumber(0),
        Kind::Enum(_) => Value::EnumNumber([0, 1, 1000, -5, 77][dice.below(5) as usize]),
        Kind::Message(message) => Value::Message(message_of(dice, message, depth)),
    }
}

fn map_key(dice: &mut Dice, kind: &Kind) -> MapKey {
    match scalar(dice, kind, 0) {
        Value::Bool(v) => MapKey::Bool(v),
        Value::I32(v) => MapKey::I32(v),
        Value::I64(v) => MapKey::I64(v),
        Value::U32(v) => MapKey::U32(v),
        Value::U64(v) => MapKey::U64(v),
        Value::String(v) => MapKey::String(v),
        _ => MapKey::Bool(false),
    }
}

fn message_of(dice: &mut Dice, descriptor: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            message.set_field_by_name("seconds", Value::I64((dice.roll() % 315_537_897_600) as i64 - 62_135_596_800));
            message.set_field_by_name("nanos", Value::I32([0, 1, 1_000, 5_000_000, 999_999_999][dice.below(5) as usize]));
        }
        "google.protobuf.Duration" => {
            // Neither is zero, and so absent: of two merged durations the last is then taken whole. Half
            // of each can have two signs, which is no duration, and both sides rightly refuse to print it.
            let sign = if dice.below(2) == 0 { 1 } else { -1 };
            message.set_field_by_name("seconds", Value::I64(sign * (1 + dice.roll() % 315_575_999_999) as i64));
            let nanos = [1, 1_000, 5_000_000, 999_999_999][dice.below(4) as usize];
            message.set_field_by_name("nanos", Value::I32(sign as i32 * nanos));
        }
        "google.protobuf.FieldMask" => {
            let paths = (0..dice.below(3)).map(|_| Value::String(["a", "foo_bar.baz", "x.y"][dice.below(3) as usize].to_owned()));
            message.set_field_by_name("paths", Value::List(paths.collect()));
        }
        "google.protobuf.Value" => value_of(dice, &mut message, depth),
        _ => {
            for field in descriptor.fields() {
                set(dice, &mut message, &field, depth);
            }
        }
    }
    message
}

/// A `google.protobuf.Value` always has a kind, and its numbers are finite.
fn value_of(dice: &mut Dice, message: &mut DynamicMessage, depth: u32) {
    let kinds = if depth > 4 { 4 } else { 6 };
    let name =
        ["null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"][dice.below(kinds) as usize];
    let field = message.descriptor().get_field_by_name(name).unwrap();
    let value = match name {
        "number_value" => Value::F64(dice.integer() as f64 / 8.0),
        _ => scalar(dice, &field.kind(), depth + 1),
    };
    message.set_field(&field, value);
}

fn set(dice: &mut Dice, message: &mut DynamicMessage, field: &FieldDescriptor, depth: u32) {
    let nested = matches!(field.kind(), Kind::Message(_));
    if dice.below(3) == 0 || (depth > 3 && nested) {
        return;
    }
    let value = if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return };
        let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        Value::Map((0..dice.below(12)).map(|_| (map_key(dice, &key), scalar(dice, &value, depth + 1))).collect())
    } else if field.is_list() {
        Value::List((0..dice.below(5)).map(|_| scalar(dice, &field.kind(), depth + 1)).collect())
    } else {
        scalar(dice, &field.kind(), depth + 1)
    };
    message.set_field(field, value);
}

/// The fields of two encodings cut at random, and shuffled: still one message.
fn torn(dice: &mut Dice, a: &[u8], b: &[u8]) -> Vec<u8> {
    if dice.below(2) == 0 { [a, b].concat() } else { [b, a, b].concat() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_read_and_print_alike(text in schema_text(), seed: u64) {
        let set = compile(&text);
        let schema = Schema::from_descriptor_set(&set).unwrap();
        let pool = DescriptorPool::decode(set.as_slice()).unwrap();
        let descriptor = pool.get_message_by_name("t.M0").unwrap();
        let id = schema.message("t.M0").unwrap();
        let mut dice = Dice(seed);
        let (first, second) = (message_of(&mut dice, &descriptor, 0), message_of(&mut dice, &descriptor, 0));
        let whole = first.encode_to_vec();
        let torn = torn(&mut dice, &whole, &second.encode_to_vec());
        for wire in [whole, torn] {
            let message = DynamicMessage::decode(descriptor.clone(), wire.as_slice()).unwrap();
            for defaults in [false, true] {
                let options = PrintOptions { defaults, ..PrintOptions::default() };
                let mut ours = Vec::new();
                wire_to_json(&schema, id, &wire, &options, &mut ours).unwrap();
                let theirs = SerializeOptions::new().skip_default_fields(!defaults);
                let theirs = message.serialize_with_options(serde_json::value::Serializer, &theirs).unwrap();
                let read: serde_json::Value = serde_json::from_slice(&ours).unwrap();
                // The texts of a `float` differ: here the shortest, there that of the `double`. Below they must agree.
                prop_assert_eq!(normal::<true>(read), normal::<true>(theirs), "{}", text);

                // What we print, both read, and mean the same by it.
                let mut back = Vec::new();
                json_to_wire(&schema, id, &ours, &ReadOptions::default(), &mut back).unwrap();
                let ours = DynamicMessage::decode(descriptor.clone(), back.as_slice()).unwrap();
                prop_assert_eq!(printed(&ours), printed(&message), "{}", text);
                let theirs = serde_json::to_string(&message).unwrap();
                let mut back = Vec::new();
                json_to_wire(&schema, id, theirs.as_bytes(), &ReadOptions::default(), &mut back).unwrap();
                let read = DynamicMessage::decode(descriptor.clone(), back.as_slice()).unwrap();
                prop_assert_eq!(printed(&read), printed(&message), "{}", text);
            }
        }
    }
}

#[test]
fn they_differ_as_listed() {
    let set = support::descriptor_set(&["types.proto"]);
    let schema = Schema::from_descriptor_set(&set).unwrap();
    let id = schema.message("transcode.test.All").unwrap();
    let descriptor = DescriptorPool::decode(set.as_slice()).unwrap().get_message_by_name("transcode.test.All").unwrap();
    // The text, whether this crate takes it, whether prost-reflect does.
    let mut wrong = Vec::new();
    for &(json, ours, theirs) in DIFFERENCES {
        let mut wire = Vec::new();
        let read = json_to_wire(&schema, id, json.as_bytes(), &ReadOptions::default(), &mut wire).is_ok();
        let mut text = serde_json::Deserializer::from_str(json);
        let reflected = DynamicMessage::deserialize(descriptor.clone(), &mut text).is_ok();
        if (read, reflected) != (ours, theirs) {
            wrong.push((json, read, reflected));
        }
    }
    assert!(wrong.is_empty(), "text, whether we and they take it: {wrong:#?}");
}

fn printed(message: &DynamicMessage) -> serde_json::Value {
    normal::<false>(serde_json::to_value(message).unwrap())
}

/// The same value for numbers that are equal: `1` and `1.0`; equal as `f32` if `ROUND`.
fn normal<const ROUND: bool>(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::Number(number) => {
            let number = number.as_f64().unwrap();
            if ROUND { Json::from(number as f32) } else { Json::from(number) }
        }
        Json::Array(items) => items.into_iter().map(normal::<ROUND>).collect(),
        Json::Object(members) => members.into_iter().map(|(key, value)| (key, normal::<ROUND>(value))).collect(),
        other => other,
    }
}

/// A text, whether this crate takes it, whether prost-reflect does.
const DIFFERENCES: &[(&str, bool, bool)] = &[
    // Rounded to the type before the range is tested; too large is too large in quotes as well.
    (r#"{"float":3.4028235e+38}"#, true, false),
    (r#"{"double":"1e309"}"#, false, true),
    // An integer in any spelling that JSON has for a number, but an exact one.
    (r#"{"int32":"1.0"}"#, true, false),
    (r#"{"int64":"1e3"}"#, true, false),
    (r#"{"byNumber":{"1e0":{}}}"#, true, false),
    (r#"{"colour":1.0}"#, true, false),
    (r#"{"int32":1.0000000000000001}"#, false, true),
    // A number in quotes is JSON's number, not Rust's.
    (r#"{"int32":"+1"}"#, false, true),
    (r#"{"int32":"01"}"#, false, true),
    (r#"{"byNumber":{"01":{}}}"#, false, true),
    (r#"{"double":"+1"}"#, false, true),
    (r#"{"double":"1."}"#, false, true),
    (r#"{"double":"inf"}"#, false, true),
    (r#"{"double":"infinity"}"#, false, true),
    // A name may occur once, in either spelling.
    (r#"{"int32":1,"int32":2}"#, false, true),
    (r#"{"far_number":1,"farNumber":2}"#, false, true),
    (r#"{"labels":{"a":"1","a":"2"}}"#, false, true),
    (r#"{"struct":{"a":1,"a":2}}"#, false, true),
    // Nine decimals are all that nanoseconds have, and protobuf has no leap seconds.
    (r#"{"duration":"1.1234567891s"}"#, false, true),
    (r#"{"timestamp":"2026-01-01T00:00:00.1234567891Z"}"#, false, true),
    (r#"{"timestamp":"2026-01-01T00:00:60Z"}"#, false, true),
    // An `Any` may be empty, and so may what it holds.
    (r#"{"any":{}}"#, true, false),
    (r#"{"any":{"@type":"x/google.protobuf.Empty"}}"#, true, false),
];
