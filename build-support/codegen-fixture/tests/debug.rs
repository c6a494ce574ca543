//! What is sensitive is never printed, at any depth; the rest is.

use weft_codegen_fixture::library::{
    Collections, Preferences, Reader, Readers,
    preferences::Choice,
    reader::{Card, Kind, Proof},
};

fn reader(proof: Proof) -> Reader {
    Reader {
        name: "Ann".to_owned(),
        email: "hunter2@example.org".to_owned(),
        kind: Kind::Child.into(),
        notes: [("hunter2".to_owned(), "hunter2".to_owned())].into(),
        lost: vec![Card { number: "C-7".to_owned() }],
        age: Some(4711),
        proof: Some(proof),
    }
}

#[test]
fn sensitive_fields_print_as_redacted() {
    let printed = format!("{:?}", reader(Proof::Pin("hunter2".to_owned())));
    let expected = "Reader { name: \"Ann\", email: [redacted], kind: Child, notes: [redacted], \
                    lost: [Card { number: \"C-7\" }], age: [redacted], proof: Some(pin([redacted])) }";
    assert_eq!(printed, expected);
}

#[test]
fn messages_around_a_sensitive_one_do_not_print_it_either() {
    let readers = Readers { readers: vec![reader(Proof::Pin("hunter2".to_owned()))] };
    for printed in [format!("{readers:?}"), format!("{readers:#?}")] {
        assert!(!printed.contains("hunter2") && !printed.contains("4711"), "{printed}");
        assert!(printed.contains("[redacted]") && printed.contains("Ann"), "{printed}");
    }
}

#[test]
fn what_is_not_sensitive_in_a_oneof_is_printed() {
    let printed = format!("{:?}", reader(Proof::Card(Card { number: "C-8".to_owned() })));
    assert!(printed.contains("proof: Some(card(Card { number: \"C-8\" }))"), "{printed}");
}

#[test]
fn enums_print_their_names_and_unknown_numbers_themselves() {
    let collections = Collections { colours: vec![5, 6], ..Collections::default() };
    assert!(format!("{collections:?}").contains("colours: [Green, 6]"));
    let reader = Reader { kind: 9, ..Reader::default() };
    assert!(format!("{reader:?}").contains("kind: 9"));
    let preferences = Preferences {
        kind: Some(Kind::Child.into()),
        kinds: [("a".to_owned(), 1), ("b".to_owned(), 2)].into(),
        choice: Some(Choice::Chosen(1)),
    };
    let expected = "Preferences { kind: Some(Child), kinds: {\"a\": Child, \"b\": 2}, choice: Some(chosen(Child)) }";
    assert_eq!(format!("{preferences:?}"), expected);
}
