//! Time, stack and allocations that input can cause.

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

use std::time::{Duration, Instant};

use support::{Subject, all};
use weft_transcode::{Limits, PrintOptions, ReadOptions, Schema, json_to_wire, wire_to_json};

/// Counts the allocations of reading and of printing.
fn allocations(subject: &Subject, json: &str) -> (u64, u64) {
    let mut wire = Vec::new();
    let read = allocation_counter::measure(|| {
        json_to_wire(&subject.schema, subject.message, json.as_bytes(), &ReadOptions::default(), &mut wire).unwrap();
    });
    let mut printed = Vec::new();
    let print = allocation_counter::measure(|| {
        wire_to_json(&subject.schema, subject.message, &wire, &PrintOptions::default(), &mut printed).unwrap();
    });
    (read.count_total, print.count_total)
}

#[test]
fn allocations_do_not_grow_with_the_message() {
    let all = all();
    let list = |element: &str, count: usize| vec![element; count].join(",");
    let map = |count: usize| (0..count).map(|i| format!(r#""key {i}":"value""#)).collect::<Vec<_>>().join(",");
    let shapes: [(&str, &dyn Fn(usize) -> String); 6] = [
        ("strings", &|n| format!(r#"{{"strings":[{}]}}"#, list(r#""some \"text\" of a string""#, n))),
        ("numbers", &|n| format!(r#"{{"numbers":[{}],"doubles":[{}]}}"#, list("123456", n), list("0.12345", n))),
        ("messages", &|n| format!(r#"{{"children":[{}]}}"#, list(r#"{"string":"x","child":{"int64":"5","colour":"RED"}}"#, n))),
        ("well-known", &|n| {
            let any = r#"{"@type":"x/transcode.test.All","timestamp":"2026-01-01T00:00:00.5Z","duration":"1.5s","mask":"a,bC"}"#;
            format!(r#"{{"anys":[{}]}}"#, list(any, n))
        }),
        ("map", &|n| format!(r#"{{"labels":{{{}}}}}"#, map(n))),
        ("struct", &|n| format!(r#"{{"struct":{{"a":[{}],{}}}}}"#, list(r#"{"b":null}"#, n), map(n))),
    ];
    // The first hash of a process makes its seed.
    allocations(&all, &shapes[4].1(20));
    for (name, shape) in shapes {
        let (few, many) = (allocations(&all, &shape(20)), allocations(&all, &shape(20_000)));
        assert_eq!(few, many, "{name}: allocations of reading and printing 20 and 20,000");
        assert!(many.0 <= 6 && many.1 <= 8, "{name}: {many:?}");
    }
}

#[test]
fn the_deepest_message_fits_a_small_stack() {
    let json = format!("{}{}{}", r#"{"children":[{"byNumber":{"1":"#.repeat(33), "{}", "}}]}".repeat(33));
    let values = format!(r#"{{"list":{}{}}}"#, "[".repeat(98), "]".repeat(98));
    let anys = format!("{}{}{}", r#"{"any":{"@type":"x/transcode.test.All","child":"#.repeat(33), "{}", "}}".repeat(33));
    let work = move || {
        let all = all();
        for json in [json, values, anys] {
            let wire = all.read(&json).unwrap();
            let deep = PrintOptions { limits: Limits { depth: 200, ..Limits::default() }, ..PrintOptions::default() };
            assert_eq!(all.print_with(&wire, &deep).unwrap(), json);
            // The settled way too: the same message twice.
            all.print_with(&wire.repeat(2), &deep).unwrap();
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().expect("a megabyte of stack is enough");
}

/// Input, and the direction it is meant for.
fn hostile() -> Vec<(&'static str, Vec<u8>, bool)> {
    let mut cases: Vec<(&'static str, Vec<u8>, bool)> = Vec::new();
    let any = r#"{"anys":[{"#.to_owned() + &r#""x":{"#.repeat(90);
    cases.push(("brackets", "[".repeat(1 << 20).into_bytes(), true));
    cases.push(("an Any whose type comes last", any.into_bytes(), true));
    cases.push(("exponent", format!(r#"{{"int64":1e{}}}"#, "9".repeat(1 << 20)).into_bytes(), true));
    cases.push(("digits", format!(r#"{{"double":0.{}}}"#, "1".repeat(1 << 20)).into_bytes(), true));
    cases.push(("zeros", format!(r#"{{"int64":{}.0}}"#, "1".to_owned() + &"0".repeat(1 << 20)).into_bytes(), true));
    let keys = (0..200_000).map(|i| format!(r#""{i}":"""#)).collect::<Vec<_>>().join(",");
    cases.push(("a huge map", format!(r#"{{"labels":{{{keys}}}}}"#).into_bytes(), true));
    let anys =
        |n: usize| (0..n).fold("{}".to_owned(), |inner, _| format!(r#"{{"value":{inner},"@type":"x/google.protobuf.Any"}}"#));
    cases.push(("nested Any, type last", format!(r#"{{"any":{}}}"#, anys(60)).into_bytes(), true));
    // labels (31) with one key over and over: the settled way.
    cases.push(("one key in a map", [0xfa, 0x01, 3, 0x0a, 1, b'k'].repeat(200_000), false));
    // child (17) in a hundred thousand pieces to merge.
    cases.push(("overlapping messages", [0x8a, 0x01, 2, 0x08, 1].repeat(200_000), false));
    cases.push(("alternating oneof", [0xc8, 0x02, 1, 0xd2, 0x02, 0].repeat(200_000), false));
    cases.push(("groups", [vec![0x0b; 90], vec![0x0c; 90]].concat().repeat(5_000), false));
    cases
}

#[test]
fn hostile_input_costs_no_more_than_its_length() {
    let all = all();
    for (name, input, is_json) in hostile() {
        let start = Instant::now();
        let mut out = Vec::new();
        let used = allocation_counter::measure(|| {
            // Valid or not: what counts is the cost.
            let _ = if is_json {
                json_to_wire(&all.schema, all.message, &input, &ReadOptions::default(), &mut out)
            } else {
                wire_to_json(&all.schema, all.message, &input, &PrintOptions::default(), &mut out)
            };
        });
        let (spent, bytes) = (start.elapsed(), used.bytes_max);
        assert!(spent < Duration::from_secs(3), "{name}: {spent:?}");
        assert!(bytes < 100 * input.len() as u64 + (1 << 20), "{name}: {bytes} bytes for {}", input.len());
    }
}

#[test]
fn a_thousand_messages_are_tables_in_milliseconds() {
    let mut text = String::from("syntax = \"proto3\"; package t;\n");
    for i in 0..1_000 {
        text.push_str(&format!(
            "message M{i} {{ string name = 1; int64 count = 2; repeated M{} next = 3; map<string, double> by_key = 4; }}\n",
            (i * 7) % 1_000
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.proto"), text).unwrap();
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.open_file("t.proto").unwrap();
    let set = compiler.encode_file_descriptor_set();
    let build = || {
        let start = Instant::now();
        let schema = Schema::from_descriptor_set(&set).unwrap();
        assert!(schema.message("t.M999").is_some());
        start.elapsed()
    };
    let best = (0..5).map(|_| build()).min().unwrap();
    assert!(best < Duration::from_millis(100), "{best:?} without optimisation");
}
