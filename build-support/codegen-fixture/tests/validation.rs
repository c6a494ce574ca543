//! Every field rule, on both sides of what it allows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use prost_types::{Duration, Timestamp};
use weft_call::{Error, Validate, validation::check};
use weft_codegen_fixture::{
    authors::Author,
    library::{
        AddBookRequest, Book, Collections, Colour, Numbers, Presences, Reader, Remarkable, Rules, Texts, Times, presences,
    },
};

/// The rules that a message breaks, each behind its field's path.
fn broken(message: &impl Validate) -> Vec<String> {
    let error = check(message).err();
    let violations = error.iter().flat_map(Error::violations);
    violations.map(|violation| format!("{} {}", violation.field, violation.rule)).collect()
}

fn texts() -> Texts {
    Texts {
        constant: "same".into(),
        three: "äöü".into(),
        some: "ab".into(),
        small: "é".into(),
        two_bytes: "é".into(),
        pattern: "abc7".into(),
        affixed: "a mm z".into(),
        listed: "y".into(),
        unlisted: "z".into(),
        email: "ann@example.org".into(),
        hostname: "a.example".into(),
        uri: "https://example.org/a".into(),
        uuid: "0192f7c4-58a5-7cc0-8a3e-2b1c9d7e6f50".into(),
        ip: "::1".into(),
        ipv4: "10.0.0.1".into(),
        ipv6: "fe80::1".into(),
        anything: "no uuid".into(),
        blob: Bytes::from_static(b"ab"),
        byte: Bytes::from_static(b"a"),
    }
}

fn numbers() -> Numbers {
    Numbers {
        range: -5,
        gap: -10,
        large: 4_294_967_297,
        any: i64::MIN,
        listed: 3,
        unlisted: 1,
        constant: 42,
        real: 0.0,
        half: 0.5,
        yes: true,
        listed_colour: Colour::Green.into(),
        said_colour: 77,
        red: Colour::Red.into(),
    }
}

fn presences() -> Presences {
    Presences {
        required: "x".into(),
        set: Some(String::new()),
        maybe: None,
        lenient: String::new(),
        both: Some(String::new()),
        never: "x".into(),
        choice: Some(presences::Choice::Word("ab".into())),
        forced: Some(presences::Forced::Number(0)),
        wrapped: Some(0),
        note: None,
        drafts: vec![Texts::default()],
        words: [("a".to_owned(), String::new())].into(),
    }
}

fn collections() -> Collections {
    Collections {
        words: vec!["ab".into(), "cd".into()],
        numbers: vec![0, 6],
        items: vec![Remarkable { yes: true }],
        entries: [("a".to_owned(), 0)].into(),
        messages: [(7, Remarkable { yes: true })].into(),
        required: vec![Bytes::from_static(b"a")],
        colours: vec![],
    }
}

fn times() -> Times {
    Times {
        wait: Some(Duration { seconds: 60, nanos: 0 }),
        positive: Some(Duration { seconds: 0, nanos: 1 }),
        since: Some(Timestamp { seconds: 1_577_836_800, nanos: 0 }),
    }
}

/// A message that is valid but for one change.
fn changed<M>(mut message: M, change: impl FnOnce(&mut M)) -> M {
    change(&mut message);
    message
}

#[test]
fn a_message_that_keeps_all_rules_is_valid() {
    let rules = Rules {
        texts: Some(texts()),
        numbers: Some(numbers()),
        presences: Some(presences()),
        collections: Some(collections()),
        times: Some(times()),
        inner: Some(Box::default()),
    };
    assert_eq!(broken(&rules), [""; 0]);
}

#[test]
fn every_rule_of_text_is_checked() {
    type Change = fn(&mut Texts);
    let cases: &[(Change, &str)] = &[
        (|t| t.constant = "other".into(), "constant string.const"),
        (|t| t.three = "ab".into(), "three string.len"),
        (|t| t.some = "ä".into(), "some string.min_len"),
        (|t| t.some = "abcde".into(), "some string.max_len"),
        (|t| t.small = "a".into(), "small string.min_bytes"),
        (|t| t.small = "éää".into(), "small string.max_bytes"),
        (|t| t.two_bytes = "a".into(), "two_bytes string.len_bytes"),
        (|t| t.pattern = "abc".into(), "pattern string.pattern"),
        (|t| t.affixed = "b mm z".into(), "affixed string.prefix"),
        (|t| t.affixed = "a mm".into(), "affixed string.suffix"),
        (|t| t.affixed = "a m z".into(), "affixed string.contains"),
        (|t| t.affixed = "a mm \"{} z".into(), "affixed string.not_contains"),
        (|t| t.listed = "z".into(), "listed string.in"),
        (|t| t.unlisted = "x".into(), "unlisted string.not_in"),
        (|t| t.email = "ann".into(), "email string.email"),
        (|t| t.hostname = "-a".into(), "hostname string.hostname"),
        (|t| t.uri = "/a".into(), "uri string.uri"),
        (|t| t.uuid = String::new(), "uuid string.uuid"),
        (|t| t.ip = "::g".into(), "ip string.ip"),
        (|t| t.ipv4 = "::1".into(), "ipv4 string.ipv4"),
        (|t| t.ipv6 = "10.0.0.1".into(), "ipv6 string.ipv6"),
        (|t| t.blob = Bytes::from_static(b"a"), "blob bytes.min_len"),
        (|t| t.blob = Bytes::from_static(b"abcd"), "blob bytes.max_len"),
        (|t| t.byte = Bytes::new(), "byte bytes.len"),
    ];
    for (change, rule) in cases {
        assert_eq!(broken(&changed(texts(), change)), [*rule]);
    }
}

#[test]
fn every_rule_of_numbers_is_checked() {
    type Change = fn(&mut Numbers);
    let cases: &[(Change, &str)] = &[
        (|n| n.range = -6, "range int32.gte_lt"),
        (|n| n.range = 10, "range int32.gte_lt"),
        (|n| n.gap = -9, "gap sint32.gt_lte_exclusive"),
        (|n| n.gap = 10, "gap sint32.gt_lte_exclusive"),
        (|n| n.large = 4_294_967_296, "large uint64.gt"),
        (|n| n.listed = 4, "listed fixed32.in"),
        (|n| n.unlisted = -1, "unlisted sfixed64.not_in"),
        (|n| n.constant = 0, "constant uint32.const"),
        (|n| n.real = -0.1, "real double.gte"),
        (|n| n.real = f64::INFINITY, "real double.finite"),
        (|n| n.half = 0.6, "half float.lte"),
        (|n| n.half = f32::NAN, "half float.lte"),
        (|n| n.yes = false, "yes bool.const"),
        (|n| n.listed_colour = 2, "listed_colour enum.defined_only"),
        (|n| n.said_colour = 0, "said_colour enum.not_in"),
        (|n| n.red = 5, "red enum.const"),
    ];
    for (change, rule) in cases {
        assert_eq!(broken(&changed(numbers(), change)), [*rule]);
    }
    assert_eq!(broken(&changed(numbers(), |n| n.gap = 11)), [""; 0]);
}

#[test]
fn presence_decides_whether_a_rule_holds() {
    use presences::{Choice, Forced};
    type Change = fn(&mut Presences);
    let cases: &[(Change, &[&str])] = &[
        (|p| p.required = String::new(), &["required required"]),
        (|p| p.set = None, &["set required"]),
        (|p| p.maybe = Some(String::new()), &["maybe string.min_len"]),
        (|p| p.lenient = "x".into(), &["lenient string.min_len"]),
        (|p| p.both = None, &[]),
        (|p| p.both = Some("x".into()), &["both string.min_len"]),
        (|p| p.choice = None, &["choice required"]),
        (|p| p.choice = Some(Choice::Word("x".into())), &["word string.min_len"]),
        (|p| p.choice = Some(Choice::Texts(texts())), &[]),
        (|p| p.choice = Some(Choice::Texts(changed(texts(), |t| t.listed = "z".into()))), &["texts.listed string.in"]),
        (|p| p.forced = None, &["number required"]),
        (|p| p.forced = Some(Forced::Other(1)), &["number required"]),
        (|p| p.wrapped = None, &["wrapped required"]),
    ];
    for (change, rules) in cases {
        assert_eq!(broken(&changed(presences(), change)), *rules);
    }
}

#[test]
fn every_rule_of_lists_and_maps_is_checked() {
    type Change = fn(&mut Collections);
    let cases: &[(Change, &[&str])] = &[
        (|c| c.words = vec![], &["words repeated.min_items"]),
        (|c| c.words = ["ab", "cd", "ef", "gh"].map(str::to_owned).into(), &["words repeated.max_items"]),
        (|c| c.words = ["ab", "ab"].map(str::to_owned).into(), &["words repeated.unique"]),
        (|c| c.words = ["ab", "c"].map(str::to_owned).into(), &["words[1] string.min_len"]),
        (|c| c.numbers = vec![6, 0, 5], &["numbers[2] int32.gt"]),
        (|c| c.items.push(Remarkable::default()), &["items[1].yes bool.const"]),
        (|c| c.entries.clear(), &["entries map.min_pairs"]),
        (|c| c.entries = ["a", "b", "c"].map(|key| (key.to_owned(), 0)).into(), &["entries map.max_pairs"]),
        (|c| c.entries = [("A".to_owned(), -1)].into(), &["entries[\"A\"] string.pattern", "entries[\"A\"] int64.gte"]),
        (|c| c.messages = [(7, Remarkable::default())].into(), &["messages[\"7\"].yes bool.const"]),
        (|c| c.required = vec![], &["required required"]),
        (|c| c.required = vec![Bytes::new()], &["required[0] bytes.min_len"]),
        (|c| c.colours = vec![1], &["colours repeated.min_items"]),
        (|c| c.colours = vec![1, 2], &["colours[1] enum.defined_only"]),
    ];
    for (change, rules) in cases {
        assert_eq!(broken(&changed(collections(), change)), *rules);
    }
}

#[test]
fn every_rule_of_times_is_checked() {
    type Change = fn(&mut Times);
    let cases: &[(Change, &[&str])] = &[
        (|t| t.wait = Some(Duration { seconds: 0, nanos: 999_999_999 }), &["wait duration.gte_lte"]),
        (|t| t.wait = Some(Duration { seconds: 60, nanos: 1 }), &["wait duration.gte_lte"]),
        (|t| t.positive = Some(Duration::default()), &["positive duration.gt"]),
        (|t| t.since = Some(Timestamp { seconds: 1_577_836_799, nanos: 999_999_999 }), &["since timestamp.gte"]),
        (|t| t.since = None, &["since required"]),
        (|t| t.wait = None, &[]),
    ];
    for (change, rules) in cases {
        assert_eq!(broken(&changed(times(), change)), *rules);
    }
}

#[test]
fn rules_hold_at_any_depth_and_in_messages_of_other_packages() {
    let deep = Rules { inner: Some(Box::new(Rules { texts: Some(Texts::default()), ..Rules::default() })), ..Rules::default() };
    assert!(broken(&deep).contains(&"inner.texts.three string.len".to_owned()));
    let book = Book { title: "Emma".into(), author: Some(Author::default()), ..Book::default() };
    assert_eq!(broken(&AddBookRequest { book: Some(book) }), ["book.author.name string.min_len"]);
    assert_eq!(broken(&AddBookRequest::default()), ["book required"]);
}

#[test]
fn no_string_contains_nul_not_even_where_rules_are_ignored() {
    type Change = fn(&mut Presences);
    let cases: &[(Change, &[&str])] = &[
        (|p| p.required = "a\0".into(), &["required weft.no_nul"]),
        (|p| p.set = Some("\0".into()), &["set weft.no_nul"]),
        (|p| p.never = "\0".into(), &["never weft.no_nul"]),
        (|p| p.note = Some("\0".into()), &["note weft.no_nul"]),
        (|p| p.choice = Some(presences::Choice::Word("a\0".into())), &["word weft.no_nul"]),
        (|p| p.words = [("\0".into(), "\0".into())].into(), &["words[\"\\0\"] weft.no_nul", "words[\"\\0\"] weft.no_nul"]),
    ];
    for (change, rules) in cases {
        assert_eq!(broken(&changed(presences(), change)), *rules);
    }
    assert_eq!(broken(&changed(collections(), |c| c.words[1] = "a\0".into())), ["words[1] weft.no_nul"]);
    // A message without rules of its own, in a request whose other fields hold theirs.
    let book = Book { title: "Emma".into(), shelf: "\0".into(), ..Book::default() };
    assert_eq!(broken(&AddBookRequest { book: Some(book) }), ["book.shelf weft.no_nul"]);
}

#[test]
fn a_violation_does_not_say_the_key_of_a_sensitive_map() {
    let notes = [("a".to_owned(), "b".to_owned()), ("hunter2".to_owned(), "\0".to_owned())].into();
    assert_eq!(broken(&Reader { notes, ..Reader::default() }), ["notes[1] weft.no_nul"]);
}

#[test]
fn a_chain_of_messages_is_checked_to_its_end() {
    use weft_codegen_fixture::library::{Preferences, Self_, preferences, self_};
    let end = Self_ { next: Some(self_::NextOneOf::End(self_::Next::default())) };
    let chain = Self_ { next: Some(self_::NextOneOf::Self_(Box::new(end))) };
    assert_eq!(broken(&chain), ["self.end.why string.min_len"]);
    let chosen = Preferences { choice: Some(preferences::Choice::Chosen(9)), ..Preferences::default() };
    assert_eq!(broken(&chosen), ["chosen enum.defined_only"]);
}

#[test]
fn a_violation_says_what_is_asked_for() {
    let error = check(&changed(numbers(), |n| {
        n.range = 99;
        n.gap = 0;
        n.listed = 9;
    }));
    let error = error.unwrap_err();
    let said: Vec<_> = error.violations().iter().map(|violation| violation.description.as_str()).collect();
    assert_eq!(
        said,
        ["must be at least -5 and less than 10", "must be greater than 10 or at most -10", "must be one of 1, 2, 3"]
    );
}
