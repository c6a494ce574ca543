//! Random input: nothing panics, and what is accepted means the same the second time.
//!
//! Each test mutates a few seeds for `WEFT_FUZZ_SECONDS` (2 by default; `build-support/fuzz.sh` sets more). The random
//! numbers start from `WEFT_FUZZ_SEED` or the clock, and a failure prints the seed and the input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation, reason = "a test fails by panicking")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant, SystemTime};

use support::{Subject, all, descriptor_set, legacy};
use weft_transcode::{
    Limits, PrintOptions, ReadOptions, Reason, RequestBuilder, RequestOptions, Router, Schema, UnknownFields, json_to_wire,
    wire_to_json,
};

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound.max(1) as u64) as usize
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Feeds mutations of `seeds` to `property` until the time is up.
fn fuzz(seeds: &[Vec<u8>], words: &[&[u8]], property: impl Fn(&[u8])) {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = variable("WEFT_FUZZ_SEED").unwrap_or_else(clock);
    let end = Instant::now() + Duration::from_secs(variable("WEFT_FUZZ_SECONDS").unwrap_or(2));
    let mut dice = Dice(seed);
    let mut runs = 0u64;
    for seed in seeds {
        property(seed);
    }
    while Instant::now() < end {
        for _ in 0..64 {
            let input = mutate(&mut dice, seeds, words);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(&input))) {
                // The panic's own message names the failed assertion; this is how to run it again.
                let text = String::from_utf8_lossy(&input);
                std::panic::set_hook(Box::new(|_| {}));
                let _ = std::fs::write(std::env::temp_dir().join("weft-fuzz-failure"), &input);
                resume_unwind(Box::new(format!("{} on {input:?} = {text:?}, WEFT_FUZZ_SEED={seed}", message(&*panic))));
            }
            runs += 1;
        }
    }
    assert!(runs > 1_000, "only {runs} runs: the machine is too busy to say anything");
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}

fn mutate(dice: &mut Dice, seeds: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    const BYTES: &[u8] = b"\0\x01\x7f\x80\xff\"\\{}[]:,/%0-.eE ";
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let to = (at + dice.below(12)).min(input.len());
        match dice.below(8) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = BYTES[dice.below(BYTES.len())],
            2 => input.insert(at, BYTES[dice.below(BYTES.len())]),
            3 => drop(input.drain(at..to)),
            4 => {
                let copy = input[at..to].to_vec();
                let again = 1 + dice.below(3);
                input.splice(at..at, copy.repeat(again));
            }
            5 => {
                let word = words[dice.below(words.len())];
                input.splice(at..at, word.iter().copied());
            }
            6 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => input.truncate(at),
        }
    }
    input
}

const JSON_SEEDS: &[&str] = &[
    r#"{"int32":-5,"int64":"-9223372036854775808","uint64":1.5e3,"float":3.4028235e+38,"double":"NaN","bool":true}"#,
    r#"{"string":"a\u00e4\ud83d\ude00\n\"","bytes":"-_8","colour":"RED","colours":[1,"MINUS",77],"far_number":1}"#,
    r#"{"child":{"child":{"children":[{},{"string":"x"}]}},"numbers":[1,2,3],"looseNumbers":["4"],"strings":["",""]}"#,
    r#"{"labels":{"a":"b","":"c"},"byNumber":{"-1":{"int32":1}},"byTruth":{"true":"RED"},"bySigned":{"1":2},"byFixed":{"3":"AA=="}}"#,
    r#"{"choiceNull":null,"maybe":0,"timestamp":"2026-11-21T08:30:00.5+01:00","duration":"-1.5s","mask":"a.bC,d"}"#,
    r#"{"struct":{"a":{"b":[1,null,"x",true]}},"value":[{}],"list":[[],{}],"values":{"k":null},"empty":{}}"#,
    r#"{"any":{"@type":"x/transcode.test.All","int32":1},"anys":[{"value":"1s","@type":"x/google.protobuf.Duration"},{}]}"#,
    r#"{"wrappedInt64":"5","wrappedBool":false,"wrappedString":"s","wrappedBytes":"","wrappedFloat":1,"wrappedStrings":["a"]}"#,
];

const JSON_WORDS: &[&[u8]] = &[
    b"null",
    b"true",
    b"1e9",
    b"\"\\ud800\"",
    b"{}",
    b"[]",
    b"\"@type\":",
    b"\"value\":",
    b"\"x/google.protobuf.Value\"",
    b"\\u0061",
    b"\"int32\":",
    b",",
    b"18446744073709551616",
    b"-0.0",
    b"\"child\":",
    b"\"labels\":{",
    b"\"Infinity\"",
];

fn deep<T>(make: impl FnOnce(Limits) -> T) -> T {
    make(Limits { depth: 300, ..Limits::default() })
}

/// Prints what was read, reads that, and prints it again: the two texts must be the same.
fn settles(subject: &Subject, wire: &[u8], json: &[u8]) {
    let (read, print) = (
        deep(|limits| ReadOptions { limits, ..ReadOptions::default() }),
        deep(|limits| PrintOptions { limits, ..PrintOptions::default() }),
    );
    let mut again = Vec::new();
    match json_to_wire(&subject.schema, subject.message, json, &read, &mut again) {
        Ok(()) => {}
        Err(error) if error.reason() == Reason::MissingRequired => return,
        Err(error) => panic!("printed, but not read: {error}, {}", String::from_utf8_lossy(json)),
    }
    let mut second = Vec::new();
    wire_to_json(&subject.schema, subject.message, &again, &print, &mut second).unwrap();
    assert_eq!(String::from_utf8_lossy(json), String::from_utf8_lossy(&second), "of wire {wire:?}");
}

#[test]
fn json_in() {
    let all = all();
    let seeds: Vec<_> = JSON_SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let ignore = ReadOptions { unknown_fields: UnknownFields::Ignore, ..ReadOptions::default() };
    let print = deep(|limits| PrintOptions { limits, ..PrintOptions::default() });
    fuzz(&seeds, JSON_WORDS, |json| {
        let strict = all.read(json);
        let lenient = all.read_with(json, &ignore);
        if let (Ok(strict), lenient) = (&strict, &lenient) {
            assert_eq!(Ok(strict), lenient.as_ref(), "ignoring changes nothing that is known");
        }
        if let Ok(wire) = lenient {
            let json = all.print_with(&wire, &print).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
            settles(&all, &wire, json.as_bytes());
        }
    });
}

#[test]
fn wire_in() {
    let (all, legacy) = (all(), legacy());
    let mut seeds: Vec<_> = JSON_SEEDS.iter().map(|seed| all.read(seed).unwrap()).collect();
    seeds.push(
        legacy
            .read(r#"{"id":1,"part":{"whole":{"id":3}},"item":[{"label":"a"},{}],"size":"LARGE","byName":{"a":"SMALL"}}"#)
            .unwrap(),
    );
    let joined: Vec<u8> = seeds.concat();
    seeds.push(joined);
    let words: &[&[u8]] = &[
        b"\x8a\x01\x02\x08\x01",
        b"\xfa\x01\x03\x0a\x01k",
        b"\x0b\x0c",
        b"\xc8\x02\x01",
        b"\xff\xff\xff\xff\x0f",
        b"\xc2\x01\x00",
    ];
    fuzz(&seeds, words, |wire| {
        for subject in [&all, &legacy] {
            for defaults in [false, true] {
                let print = deep(|limits| PrintOptions { defaults, limits, ..PrintOptions::default() });
                if let Ok(json) = subject.print_with(wire, &print) {
                    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
                    if !defaults {
                        settles(subject, wire, json.as_bytes());
                    }
                }
            }
        }
    });
}

#[test]
fn paths() {
    let schema = Schema::from_descriptor_set(&descriptor_set(&["shop.proto"])).unwrap();
    let router = Router::build(&schema).unwrap();
    let seeds = ["/v1/shelves/a/books/7", "/v1/books/x/y", "/v1/people/ann/book", "/v1/books/7:tag", "/v1/books:count", "/"];
    let seeds: Vec<_> = seeds.into_iter().map(|path| path.as_bytes().to_vec()).collect();
    let words: &[&[u8]] = &[b"%2F", b"%", b"/", b":tag", b"books", b"%C3%A4", b"//", b"*", b"{shelf}"];
    fuzz(&seeds, words, |path| {
        let path = String::from_utf8_lossy(path);
        for method in ["GET", "POST", "PATCH", "TOUCH"] {
            let Ok(found) = router.find(method, &path) else { continue };
            let fields = found.captures().count();
            assert_eq!(fields, found.binding.rule().path.matches('{').count());
            assert!(found.captures().all(|(_, value)| value.len() <= path.len()));
        }
    });
}

#[test]
fn queries() {
    let schema = Schema::from_descriptor_set(&descriptor_set(&["shop.proto"])).unwrap();
    let router = Router::build(&schema).unwrap();
    let found = router.find("GET", "/v1/books").unwrap();
    let input = found.binding.method(&schema).input;
    let seeds = [
        "pageSize=5&page_token=t&filter.owner.name=n&ids=1&ids=2",
        "since=2026-11-21T08:30:00Z&within=1.5s&fields=a_b,cD&lent=true&author=x&exact=false",
        "order=BY_TITLE&orders=1&price=1e3&weight=NaN&cursor=AA&room=r&count=1&delta=-1&code=2&maybe=0",
    ];
    let seeds: Vec<_> = seeds.into_iter().map(|query| query.as_bytes().to_vec()).collect();
    let words: &[&[u8]] =
        &[b"&", b"=", b"%2B", b"+", b"filter.tags=", b"floor=1", b"%00", b"filter=", b"extra.a=1", b"labels[a]=1", b"."];
    let options = RequestOptions::default();
    fuzz(&seeds, words, |query| {
        let query = String::from_utf8_lossy(query);
        let Ok(request) = RequestBuilder::new(&schema, &found, Some(&query), &options) else { return };
        let mut messages = Vec::new();
        request.finish(|message| messages.push(message)).unwrap();
        let mut json = Vec::new();
        wire_to_json(&schema, input, &messages[0], &PrintOptions::default(), &mut json).unwrap();
    });
}

#[test]
fn descriptor_sets() {
    let seeds = [descriptor_set(&["shop.proto"]), descriptor_set(&["legacy.proto"])];
    let words: &[&[u8]] =
        &[b"\x0a\x00", b"\x12\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"proto3", b".google.protobuf.Any"];
    fuzz(&seeds, words, |set| {
        let Ok(schema) = Schema::from_descriptor_set(set) else { return };
        let _ = Router::build(&schema);
        for name in ["transcode.shop.Book", "transcode.legacy.Legacy", "google.protobuf.Value"] {
            let Some(message) = schema.message(name) else { continue };
            let mut out = Vec::new();
            let _ = wire_to_json(&schema, message, &[10, 1, 97, 18, 0, 26, 0, 35, 36], &PrintOptions::default(), &mut out);
            let _ =
                json_to_wire(&schema, message, br#"{"id":1,"title":"x","labels":{"a":"b"}}"#, &ReadOptions::default(), &mut out);
        }
    });
}
