//! What the contract says stands in its tables, word for word.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use prost_reflect::DescriptorPool;
use weft_call::{
    Access, Audit, Calls, Client, Code, Contract, Declares, Event, EventContract, HttpMethod, HttpRoute, Idempotency, Limit,
    LimitScope, MethodContract, MethodKind, Reason,
};
use weft_codegen_fixture::{
    authors::{AuthorsClient, AuthorsContract},
    library::{Book, LendingLibraryContract, LibraryClient, LibraryReason},
};

const CONTRACT: &Contract = LendingLibraryContract::CONTRACT;

fn method(name: &str) -> &'static MethodContract {
    CONTRACT.services[0].methods.iter().find(|method| method.name == name).expect("the method is in the contract")
}

const NOBODY: Access = Access { public: false, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false };

#[test]
fn the_service_and_its_words_are_listed() {
    assert_eq!((CONTRACT.domain, CONTRACT.package), ("lending_library", "fixture.library.v1"));
    let service = &CONTRACT.services[0];
    assert_eq!((service.name, service.domain), ("fixture.library.v1.Library", "lending_library"));
    assert_eq!(service.calls, ["fixture.authors.v1.Authors"]);
    assert_eq!((service.permissions[0].name, service.permissions[0].roles), ("library.read_all", &["staff", "auditor"][..]));
    for (index, method) in service.methods.iter().enumerate() {
        assert_eq!((method.index, method.service, method.domain), (index, service.name, service.domain));
        assert_eq!(method.path, format!("/{}/{}", service.name, method.name));
    }
    assert!(std::ptr::eq(LibraryClient::SERVICE, service));
    assert_eq!(AuthorsContract::CONTRACT.domain, "authors");
    let (topic, domain, message) = ("events.book.added", "lending_library", "fixture.library.v1.Book");
    assert_eq!(CONTRACT.events, [EventContract { topic, domain, message, key: "type", permission: None }]);
    assert_eq!(Book::EVENT, &CONTRACT.events[0]);
    assert_eq!(Book { r#type: "novel".to_owned(), ..Book::default() }.key(), "novel");
}

#[test]
fn a_methods_policy_is_what_it_declares() {
    let add = method("AddBook");
    assert_eq!(add.access, Access { permission: Some("library.add"), roles: &["staff"], ..NOBODY });
    assert_eq!(add.deadline, Some(Duration::from_secs(2)));
    assert_eq!((add.idempotency, add.audit, add.system), (Idempotency::Keyed, Audit::Write, None));
    let limits = [Limit { per: LimitScope::Tenant, rate: 200, burst: 400 }, Limit { per: LimitScope::User, rate: 5, burst: 5 }];
    assert_eq!(add.limits, limits);
    assert_eq!((add.input, add.output), ("fixture.library.v1.AddBookRequest", "fixture.library.v1.Book"));

    let get = method("GetBook");
    assert_eq!(get.access, Access { public: true, ..NOBODY });
    assert_eq!((get.deadline, get.audit), (Some(Duration::new(1, 5)), Audit::Read));
    let remove = method("RemoveBook");
    assert_eq!(remove.system, Some("books of all tenants stand on one shelf"));
    assert_eq!((remove.output, remove.idempotency), ("google.protobuf.Empty", Idempotency::Natural));
    assert_eq!(method("CheckRules").idempotency, Idempotency::None);
    assert_eq!(method("WatchBooks").access, Access { callers: &["reader"], ..NOBODY });
    let author = &AuthorsContract::CONTRACT.services[0].methods[0];
    let access = Access { permission: Some("authors.read"), roles: &["staff"], callers: &["library"], any_of: true, ..NOBODY };
    assert_eq!(author.access, access);
}

#[test]
fn a_method_is_of_the_kind_that_its_streams_make_it() {
    let kinds = CONTRACT.services[0].methods.iter().map(|method| (method.name, method.kind));
    let streams: Vec<_> = kinds.filter(|(_, kind)| *kind != MethodKind::Unary).collect();
    let expected = [
        ("WatchBooks", MethodKind::ServerStreaming),
        ("ImportBooks", MethodKind::ClientStreaming),
        ("Match", MethodKind::Bidirectional),
    ];
    assert_eq!(streams, expected);
}

#[test]
fn every_binding_is_a_route() {
    let route = |method, template, body, response_body| HttpRoute { method, template, body, response_body };
    let expected = [
        route(HttpMethod::Post, "/v1/books", "book", ""),
        route(HttpMethod::Put, "/v1/shelves/{book.shelf}/books", "*", "title"),
        route(HttpMethod::Custom("LINK"), "/v1/books", "", ""),
    ];
    assert_eq!(method("AddBook").http, expected);
    assert_eq!(method("GetBook").http, [route(HttpMethod::Get, "/v1/books/{title}", "", "")]);
    assert!(method("WatchBooks").http.is_empty());
}

#[test]
fn reasons_travel_by_name_and_bring_their_code() {
    assert_eq!(LibraryReason::DOMAIN, "fixture.library.v1");
    assert_eq!(LibraryReason::ALL, [LibraryReason::BookNotFound, LibraryReason::ShelfFull]);
    assert_eq!((LibraryReason::BookNotFound.name(), LibraryReason::BookNotFound.code()), ("BOOK_NOT_FOUND", Code::NotFound));
    assert_eq!(LibraryReason::ShelfFull.code(), Code::ResourceExhausted);
    for reason in LibraryReason::ALL {
        assert_eq!(LibraryReason::from_name(reason.name()), Some(*reason));
    }
    assert_eq!(LibraryReason::from_name("UNSPECIFIED"), None);
    let table: Vec<_> = CONTRACT.reasons.iter().map(|reason| (reason.name, reason.code, reason.description)).collect();
    let expected = [
        ("BOOK_NOT_FOUND", Code::NotFound, "No such book stands here; ask for another."),
        ("SHELF_FULL", Code::ResourceExhausted, "A reason without its enum's name."),
    ];
    assert_eq!(table, expected);
}

#[test]
fn only_declared_clients_are_licensed() {
    fn licensed<C: Client, D: Calls<C>>() -> (&'static str, &'static str) {
        (D::CONTRACT.domain, C::SERVICE.name)
    }
    let pair = licensed::<AuthorsClient, LendingLibraryContract>();
    assert_eq!(pair, ("lending_library", "fixture.authors.v1.Authors"));
}

#[test]
fn the_descriptor_set_keeps_options_and_comments() {
    let pool = DescriptorPool::decode(CONTRACT.descriptor_set).unwrap();
    let method = pool.get_service_by_name("fixture.library.v1.Library").unwrap().methods().next().unwrap();
    for option in ["weft.mesh.v1.call", "google.api.http"] {
        let option = pool.get_extension_by_name(option).unwrap();
        assert!(method.options().has_extension(&option));
    }
    let file = method.parent_file();
    let locations = &file.file_descriptor_proto().source_code_info.as_ref().unwrap().location;
    assert!(locations.iter().any(|location| location.leading_comments() == " Adds a book.\n"));
    assert!(pool.get_file_by_name("google/protobuf/descriptor.proto").is_some());
}
