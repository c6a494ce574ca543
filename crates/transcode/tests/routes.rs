//! Paths to methods: precedence, captures, verbs, conflicts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;

use weft_transcode::{RouteError, Router, RouterError, Schema};

/// A service whose methods `M0`, `M1`, … serve these rules; variables are fields of the request.
fn service(rules: &[(&str, &str)]) -> Schema {
    let mut text = String::from(
        "syntax = \"proto3\"; package t; import \"google/api/annotations.proto\";
         message Inner { string c = 1; repeated string many = 2; map<string, string> map = 3; Inner deep = 4; }
         message In { string x = 1; string y = 2; string id = 3; int32 n = 4; Inner a = 5; repeated string list = 6; }
         message Out { string text = 1; }
         service S {\n",
    );
    for (i, (method, path)) in rules.iter().enumerate() {
        let pattern = match *method {
            "GET" | "PUT" | "POST" | "DELETE" | "PATCH" => format!("{}: \"{path}\"", method.to_lowercase()),
            custom => format!("custom {{ kind: \"{custom}\" path: \"{path}\" }}"),
        };
        writeln!(text, "rpc M{i}(In) returns (Out) {{ option (google.api.http) = {{ {pattern} }}; }}").unwrap();
    }
    text.push('}');
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.proto"), text).unwrap();
    let protos = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([folder.path(), &protos]).unwrap();
    compiler.include_imports(true).open_file("t.proto").unwrap();
    Schema::from_descriptor_set(&compiler.encode_file_descriptor_set()).unwrap()
}

/// The method that serves a request, with its captures: `M0 x=1`.
fn find(schema: &Schema, router: &Router, method: &str, path: &str) -> String {
    match router.find(method, path) {
        Err(error) => error.to_string(),
        Ok(found) => {
            let mut text = found.binding.method(schema).name.clone();
            for (field, value) in found.captures() {
                write!(text, " {field}={value}").unwrap();
            }
            text
        }
    }
}

const NOTHING: &str = "no method serves this path";

/// GET routes, then paths and what serves them.
fn check(routes: &[&str], cases: &[(&str, &str)]) {
    let rules: Vec<_> = routes.iter().map(|route| ("GET", *route)).collect();
    let schema = service(&rules);
    let router = Router::build(&schema).unwrap();
    for (path, expected) in cases {
        assert_eq!(find(&schema, &router, "GET", path), *expected, "{path}");
    }
}

#[test]
fn two_stars_match_the_root_and_everything() {
    check(&["/**"], &[("/", "M0"), ("/a", "M0"), ("/a/", "M0"), ("/a/b/c", "M0"), ("a", NOTHING), ("", NOTHING)]);
    check(&["/", "/a/**"], &[("/", "M0"), ("/a", "M1"), ("/a/", "M1"), ("/b", NOTHING)]);
}

#[test]
fn a_literal_beats_one_star_and_one_star_beats_two() {
    check(
        &["/a/**", "/b/*", "/c/*/d/**", "/c/*/d/e", "/c/f/d/e", "/"],
        &[
            ("/a/b", "M0"),
            ("/a/b/c", "M0"),
            ("/b/c", "M1"),
            ("/b/c/d", NOTHING),
            ("/c/u/d/v", "M2"),
            ("/c/v/d/w/x", "M2"),
            ("/c/x/y/d/z", NOTHING),
            ("/c//v/d/w/x", NOTHING),
            ("/c/x/d/e", "M3"),
            ("/c/f/d/e", "M4"),
            ("/", "M5"),
        ],
    );
}

#[test]
fn a_literal_that_leads_nowhere_does_not_hide_a_star() {
    check(
        &["/a/b/c", "/a/*/d", "/a/**"],
        &[("/a/b/c", "M0"), ("/a/b/d", "M1"), ("/a/b/e", "M2"), ("/a/b", "M2"), ("/a/b/c/d", "M2")],
    );
}

#[test]
fn variables_take_their_segments() {
    check(
        &[
            "/a/{x}/c/d/e",
            "/{x=a/*}/b/{y=*}/c",
            "/a/{x=b/*}/{y=d/**}",
            "/alpha/{x=*}/beta/{y=**}/gamma",
            "/{x=*}/a",
            "/{x=**}/a/b",
            "/a/b/{x=*}",
            "/a/b/c/{x=**}",
            "/{x=*}/d/e/f/{y=**}",
            "/deep/{a.deep.c=shelves/*/books/**}",
        ],
        &[
            ("/a/book/c/d/e", "M0 x=book"),
            ("/a/hello/b/world/c", "M1 x=a/hello y=world"),
            ("/a/b/zoo/d/animal/tiger", "M2 x=b/zoo y=d/animal/tiger"),
            ("/alpha/dog/beta/eat/bones/gamma", "M3 x=dog y=eat/bones"),
            ("/alpha/dog/beta/gamma", "M3 x=dog y="),
            ("/foo/a", "M4 x=foo"),
            ("/foo/bar/a/b", "M5 x=foo/bar"),
            ("/a/b/foo", "M6 x=foo"),
            ("/a/b/c/foo/bar/baz", "M7 x=foo/bar/baz"),
            ("/a/b/c", "M7 x="),
            ("/foo/d/e/f/bar/baz", "M8 x=foo y=bar/baz"),
            ("/deep/shelves/1/books/2/3", "M9 a.deep.c=shelves/1/books/2/3"),
        ],
    );
}

#[test]
fn literals_behind_two_stars_are_read_from_the_end() {
    check(
        &[
            "/a/{x=b/**}",
            "/a/{x=b/**}/z",
            "/a/{x=b/**}/y/z",
            "/a/{x=b/**}:verb",
            "/a/{x=**}",
            "/c/{x=*}/{y=d/**}/e",
            "/c/{x=*}/{y=d/**}/e:verb",
            "/a/{x=b/*/y/z/**}/foo",
            "/a/{x=b/*/**/y/z}/foo",
        ],
        &[
            ("/a/b/hello/world/c", "M0 x=b/hello/world/c"),
            ("/a/b/world/c/z", "M1 x=b/world/c"),
            ("/a/b/world/c/y/z", "M2 x=b/world/c"),
            ("/a/b/world/c:verb", "M3 x=b/world/c"),
            ("/a/hello/b/world/c", "M4 x=hello/b/world/c"),
            ("/c/hello/d/esp/world/e", "M5 x=hello y=d/esp/world"),
            ("/c/hola/d/esp/mundo/e:verb", "M6 x=hola y=d/esp/mundo"),
            ("/a/b/foo/y/z/bar/baz/foo", "M7 x=b/foo/y/z/bar/baz"),
            ("/a/b/foo/bar/baz/y/z/foo", "M8 x=b/foo/bar/baz/y/z"),
        ],
    );
}

#[test]
fn escapes_are_decoded_as_the_capture_needs() {
    let reserved = "%21%23%24%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D";
    check(
        &["/a/{x}/c", "/b/{x=p/*/q/*}/c", "/d/{x=*}/{y=**}/c"],
        &[
            ("/a/p%20q%2Fr+/c", "M0 x=p q/r+"),
            ("/b/p/foo%20foo/q/bar%2Fbar/c", "M1 x=p/foo foo/q/bar%2Fbar"),
            (&format!("/d/{reserved}/{reserved}/c"), "M2 x=!#$&'()*+,/:;=?@[] y=!#$&'()*+,%2F:;=?@[]"),
            ("/a/%zz/c", "the path is not percent-encoded UTF-8"),
            ("/a/%ff/c", "the path is not percent-encoded UTF-8"),
        ],
    );
}

#[test]
fn a_colon_is_a_verb_only_where_some_route_has_it() {
    check(
        &["/person", "/person/{id=*}", "/{x=**}:verb"],
        &[
            ("/person:verb", "M2 x=person"),
            ("/person/jason:verb", "M2 x=person/jason"),
            ("/animal/cat:verb", "M2 x=animal/cat"),
            ("/person", "M0"),
            ("/person/jason", "M1 id=jason"),
            ("/animal", NOTHING),
            ("/person:other", NOTHING),
            ("/person/jason:other", "M1 id=jason:other"),
            ("/animal/cat:other", NOTHING),
        ],
    );
    check(
        &["/{x=**}:verb", "/{x=**}"],
        &[
            ("/some:verb/const:verb", "M0 x=some:verb/const"),
            ("/some:verb/const", "M1 x=some:verb/const"),
            ("/some:verb2/const:verb2", "M1 x=some:verb2/const:verb2"),
        ],
    );
    check(&["/{x=*}/{y=*}:verb"], &[("/some:verb/const:verb", "M0 x=some:verb y=const")]);
    check(&["/foo/{x=*}"], &[("/foo/other:verb", "M0 x=other:verb")]);
    check(&["/foo/*/hello", "/x:verb"], &[("/foo/other:verb/hello", "M0")]);
}

#[test]
fn verbs_stand_on_every_kind_of_segment() {
    check(
        &["/some/const:verb", "/some/*:verb", "/some/*/foo:verb", "/other/**:verb", "/other/**/const:verb", "/one/{x}:verb"],
        &[
            ("/some/const:verb", "M0"),
            ("/some/other:verb", "M1"),
            ("/some/other:verb/", NOTHING),
            ("/some/bar/foo:verb", "M2"),
            ("/some/foo1/foo2/foo:verb", NOTHING),
            ("/some/foo/bar:verb", NOTHING),
            ("/other/bar/foo:verb", "M3"),
            ("/other/bar/foo/const:verb", "M4"),
            ("/one/1:verb", "M5 x=1"),
            ("/one/:verb", NOTHING),
        ],
    );
}

#[test]
fn only_whole_paths_match() {
    check(
        &["/prefix/middle/suffix", "/prefix/middle", "/prefix"],
        &[
            ("/prefix/middle/suffix", "M0"),
            ("/prefix/middle", "M1"),
            ("/prefix", "M2"),
            ("/prefix/", NOTHING),
            ("//prefix", NOTHING),
            ("/prefix/middle/suffix/other", NOTHING),
            ("/prefix/other", NOTHING),
            ("/other", NOTHING),
            ("/Prefix", NOTHING),
        ],
    );
}

#[test]
fn other_methods_of_a_path_are_named() {
    let schema = service(&[("GET", "/a/b"), ("PUT", "/a/*"), ("LINK", "/a/b"), ("*", "/any"), ("GET", "/any")]);
    let router = Router::build(&schema).unwrap();
    let found = |method, path| find(&schema, &router, method, path);
    assert_eq!(found("GET", "/a/b"), "M0");
    assert_eq!(found("PUT", "/a/b"), "M1", "the literal has no PUT, the star has");
    assert_eq!(found("LINK", "/a/b"), "M2");
    assert_eq!(found("DELETE", "/any"), "M3", "`*` serves every method");
    assert_eq!(found("GET", "/any"), "M4", "an exact method beats `*`");
    let allowed = vec!["GET".to_owned(), "LINK".to_owned(), "PUT".to_owned()];
    assert_eq!(router.find("POST", "/a/b").unwrap_err(), RouteError::MethodNotAllowed { allowed });
}

#[test]
fn the_path_of_a_custom_method_is_nobody_s_id() {
    let schema = service(&[("GET", "/orders/{id}"), ("POST", "/orders/{id}:cancel")]);
    let router = Router::build(&schema).unwrap();
    assert_eq!(find(&schema, &router, "POST", "/orders/7:cancel"), "M1 id=7");
    assert_eq!(find(&schema, &router, "GET", "/orders/7:other"), "M0 id=7:other");
    let allowed = vec!["POST".to_owned()];
    assert_eq!(router.find("GET", "/orders/7:cancel").unwrap_err(), RouteError::MethodNotAllowed { allowed });
}

#[test]
fn two_methods_on_one_route_are_refused_with_both_names() {
    for (a, b) in [("/a/{x}", "/a/{y}"), ("/a/*", "/a/{id}"), ("/{x=**}", "/**"), ("/a:v", "/a:v"), ("/{x=a/*}/b", "/a/{y}/b")] {
        let error = Router::build(&service(&[("GET", a), ("GET", b)])).unwrap_err();
        let RouterError::Conflict { first, second, .. } = &error else { panic!("{error}") };
        assert_eq!((first.as_str(), second.as_str()), ("t.S.M0", "t.S.M1"));
    }
    Router::build(&service(&[("GET", "/a"), ("POST", "/a"), ("GET", "/a:v"), ("GET", "/a/*")])).unwrap();
}

#[test]
fn rules_that_could_not_work_are_refused() {
    for (path, message) in [
        ("/a/{missing}", "t.S.M0: no field missing in t.In"),
        ("/a/{a.missing}", "t.S.M0: no field a.missing in t.In"),
        ("/a/{x.c}", "t.S.M0: no field x.c in t.In"),
        ("/a/{list}", "t.S.M0: list cannot be taken from the path: it is repeated or a message"),
        ("/a/{a}", "t.S.M0: a cannot be taken from the path: it is repeated or a message"),
        ("/a/{a.map}", "t.S.M0: a.map cannot be taken from the path: it is repeated or a message"),
        ("/a/**/*", "t.S.M0: template \"/a/**/*\": only literals may follow \"**\""),
    ] {
        assert_eq!(Router::build(&service(&[("GET", path)])).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_path_of_slashes_is_bounded() {
    let schema = service(&[("GET", "/a/**/x")]);
    let router = Router::build(&schema).unwrap();
    let slashes = "/".repeat(64_000);
    assert_eq!(router.find("GET", &format!("/a{slashes}x")).unwrap_err(), RouteError::TooLong);
    assert_eq!(find(&schema, &router, "GET", &format!("/a{}x", "/".repeat(200))), "M0");
}
