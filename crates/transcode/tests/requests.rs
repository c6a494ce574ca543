//! Path, query and body woven into the request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use weft_transcode::{
    PrintOptions, ReadOptions, RequestBuilder, RequestError, RequestOptions, Router, Schema, UnknownFields, wire_to_json,
};

/// JSON whatever the order of its members.
#[track_caller]
fn assert_same(left: &str, right: &str, of: &str) {
    let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    assert_eq!(value(left), value(right), "{of}");
}

struct Shop {
    schema: Schema,
    router: Router,
}

fn shop() -> Shop {
    let schema = Schema::from_descriptor_set(&support::descriptor_set(&["shop.proto"])).unwrap();
    let router = Router::build(&schema).unwrap();
    Shop { schema, router }
}

impl Shop {
    /// The messages of a request as JSON; the body comes in these pieces.
    fn pieces(
        &self,
        method: &str,
        target: &str,
        pieces: &[&[u8]],
        options: &RequestOptions,
    ) -> Result<Vec<String>, RequestError> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let found = self.router.find(method, path).unwrap();
        let mut messages = Vec::new();
        let mut request = RequestBuilder::new(&self.schema, &found, query, options)?;
        request.content_type("text/plain");
        for piece in pieces {
            request.push(piece, |wire| messages.push(wire))?;
        }
        request.finish(|wire| messages.push(wire))?;
        let input = found.binding.method(&self.schema).input;
        let print = |wire: Vec<u8>| {
            let mut json = Vec::new();
            wire_to_json(&self.schema, input, &wire, &PrintOptions::default(), &mut json).unwrap();
            String::from_utf8(json).unwrap()
        };
        Ok(messages.into_iter().map(print).collect())
    }

    /// The same of a body that is all there; what stands before the message is kept.
    fn whole(&self, method: &str, target: &str, body: &str, options: &RequestOptions) -> Result<String, RequestError> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let found = self.router.find(method, path).unwrap();
        let mut request = RequestBuilder::new(&self.schema, &found, query, options)?;
        request.content_type("text/plain");
        let mut wire = b"frame".to_vec();
        let result = request.message(body.as_bytes(), &mut wire);
        assert!(wire.starts_with(b"frame"));
        result.inspect_err(|_| assert_eq!(wire, b"frame"))?;
        let input = found.binding.method(&self.schema).input;
        let mut json = Vec::new();
        wire_to_json(&self.schema, input, &wire[5..], &PrintOptions::default(), &mut json).unwrap();
        Ok(String::from_utf8(json).unwrap())
    }

    fn request(&self, method: &str, target: &str, body: &str) -> Result<String, RequestError> {
        let options = RequestOptions::default();
        let whole = self.whole(method, target, body, &options);
        let pieces = self.pieces(method, target, &[body.as_bytes()], &options);
        assert_eq!(pieces.as_ref().map(|messages| &messages[0]), whole.as_ref(), "{target} {body}");
        let mut messages = pieces?;
        assert_eq!(messages.len(), 1);
        Ok(messages.remove(0))
    }
}

#[test]
fn path_variables_of_every_depth_are_set() {
    let shop = shop();
    for (target, expected) in [
        ("/v1/shelves/a%2Fb/books/7", r#"{"shelf":"a/b","book":"7"}"#),
        ("/v1/books/x/y%20z", r#"{"path":"books/x/y z"}"#),
        ("/v1/people/ann/book", r#"{"filter":{"owner":{"name":"people/ann"}}}"#),
        (
            "/v1/people/ann/book?filter.text=t&filter.tags=1&shelf=s",
            r#"{"shelf":"s","filter":{"owner":{"name":"people/ann"},"text":"t","tags":["1"]}}"#,
        ),
    ] {
        assert_same(&shop.request("GET", target, "").unwrap(), expected, target);
    }
    let error = shop.request("GET", "/v1/shelves/a/books/secret", "").unwrap_err();
    assert_eq!(error.to_string(), "path: book: expected a number");
}

#[test]
fn query_parameters_set_every_kind_of_field() {
    let shop = shop();
    for (query, expected) in [
        ("pageSize=5&pageToken=t", r#"{"pageSize":5,"pageToken":"t"}"#),
        ("page_size=-5", r#"{"pageSize":-5}"#),
        ("ids=1&ids=2&ids=3", r#"{"ids":["1","2","3"]}"#),
        ("filter.text=a%20b+c%2B&filter.owner.name=n", r#"{"filter":{"owner":{"name":"n"},"text":"a b c+"}}"#),
        ("filter.tags=x&filter.text=y&filter.tags=z", r#"{"filter":{"text":"y","tags":["x","z"]}}"#),
        ("order=BY_TITLE&orders=1&orders=77&orders=BY_TITLE", r#"{"order":"BY_TITLE","orders":["BY_TITLE",77,"BY_TITLE"]}"#),
        ("since=2026-11-21T08:30:00.5%2B01:00", r#"{"since":"2026-11-21T07:30:00.500Z"}"#),
        ("within=1.5s", r#"{"within":"1.500s"}"#),
        ("fields=title,author.name", r#"{"fields":"title,author.name"}"#),
        ("fields=long_note,longNote", r#"{"fields":"longNote,longNote"}"#),
        ("lent=true&author=%22a%5C%22", r#"{"author":"\"a\\\"","lent":true}"#),
        ("lent=false&maybe=0", r#"{"lent":false,"maybe":0}"#),
        ("exact=true&price=1.5e3&weight=3.4028235e%2B38", r#"{"exact":true,"price":1500,"weight":3.4028235e38}"#),
        ("price=NaN&weight=-Infinity", r#"{"price":"NaN","weight":"-Infinity"}"#),
        ("cursor=-_8", r#"{"cursor":"+/8="}"#),
        ("room=r", r#"{"room":"r"}"#),
        ("floor=0", r#"{"floor":0}"#),
        (
            "count=4294967295&delta=-9223372036854775808&code=1e2",
            r#"{"count":4294967295,"delta":"-9223372036854775808","code":100}"#,
        ),
        ("pageToken=&&", "{}"),
        ("pageToken", "{}"),
    ] {
        let target = format!("/v1/books?{query}");
        assert_same(&shop.request("GET", &target, "").unwrap(), expected, query);
    }
}

#[test]
fn query_parameters_that_fit_nothing_are_refused() {
    let shop = shop();
    for (query, message) in [
        ("pageSize=x", "query: pageSize: expected a number"),
        ("pageSize=2147483648", "query: pageSize: number out of range"),
        ("pageSize=1.5", "query: pageSize: expected an integer"),
        ("count=-1", "query: count: number out of range"),
        ("exact=yes", "query: exact: expected true or false"),
        ("order=SIDEWAYS", "query: order: unknown enum value"),
        ("since=yesterday", "query: since: invalid timestamp"),
        ("ids=1&ids=x", "query: ids: expected a number"),
        ("nothing=1", "query: unknown parameter nothing"),
        ("filter.nothing=1", "query: unknown parameter filter.nothing"),
        ("%22%3Cscript=1", "query: unknown parameter ?"),
        ("pageToken=a&page_token=b", "query: page_token occurs twice"),
        ("room=a&floor=1", "query: floor is in a oneof with another parameter"),
        ("filter=x", "query: filter cannot be a query parameter: it is a map or a message"),
        ("labels=x", "query: labels cannot be a query parameter: it is a map or a message"),
        ("extra=x", "query: extra cannot be a query parameter: it is a map or a message"),
        ("pageToken=%ff", "query: pageToken is not percent-encoded UTF-8"),
        ("pageToken=%4", "query: pageToken is not percent-encoded UTF-8"),
        ("page%ffToken=1", "query: not percent-encoded UTF-8"),
    ] {
        let error = shop.request("GET", &format!("/v1/books?{query}"), "").unwrap_err();
        assert_eq!(error.to_string(), message, "{query}");
    }
    let Err(RequestError::Query(error)) = shop.request("GET", "/v1/books?pageSize=x", "") else { panic!("it is refused") };
    assert_eq!((error.path(), error.original_path()), ("pageSize", "page_size"));
    let many = "ids=1&".repeat(1_001);
    let error = shop.request("GET", &format!("/v1/books?{many}"), "").unwrap_err();
    assert_eq!(error, RequestError::TooManyParameters);
    let deep = vec!["filter"; 200].join(".");
    assert!(matches!(shop.request("GET", &format!("/v1/books?{deep}=1"), ""), Err(RequestError::UnknownParameter(_))));
}

#[test]
fn unknown_parameters_can_be_let_go() {
    let shop = shop();
    let options = RequestOptions { unknown_parameters: UnknownFields::Ignore, ..RequestOptions::default() };
    assert_eq!(shop.pieces("GET", "/v1/books?nothing=1&pageSize=2", &[], &options).unwrap(), [r#"{"pageSize":2}"#]);
    let options = RequestOptions { ignored_parameters: vec!["key".to_owned()], ..RequestOptions::default() };
    assert_eq!(shop.pieces("GET", "/v1/books?key=1&pageSize=2", &[], &options).unwrap(), [r#"{"pageSize":2}"#]);
    let options = RequestOptions { plus_is_space: false, ..RequestOptions::default() };
    assert_eq!(shop.pieces("GET", "/v1/books?pageToken=a+b", &[], &options).unwrap(), [r#"{"pageToken":"a+b"}"#]);
}

#[test]
fn what_the_path_sets_beats_the_body_and_the_query_cannot_set_it() {
    let shop = shop();
    let created = shop.request("POST", "/v1/shelves/s/books", r#"{"title":"t","shelf":"other"}"#).unwrap();
    assert_same(&created, r#"{"title":"t","shelf":"s"}"#, "a whole message");
    for (method, target) in
        [("POST", "/v1/shelves/s/books?title=q"), ("POST", "/v1/books/1:tag?tags=x"), ("POST", "/v1/books/1:tag?id=x")]
    {
        assert!(matches!(shop.request(method, target, ""), Err(RequestError::BoundParameter(_))), "{target}");
    }
}

#[test]
fn a_body_may_be_one_field_of_any_kind() {
    let shop = shop();
    let body = r#"{"title":"t","author":{"name":"n"}}"#;
    let updated = shop.request("PATCH", "/v1/books/7?updateMask=title", body).unwrap();
    assert_same(&updated, r#"{"book":{"id":"7","title":"t","author":{"name":"n"}},"updateMask":"title"}"#, "a message");
    let tagged = shop.request("POST", "/v1/books/7:tag", r#" ["a", "b"] "#).unwrap();
    assert_same(&tagged, r#"{"id":"7","tags":["a","b"]}"#, "an array");
    assert_eq!(shop.request("POST", "/v1/books/7:tag", "null").unwrap(), r#"{"id":"7"}"#);
    let error = shop.request("POST", "/v1/books/7:tag", r#"["a", 5]"#).unwrap_err();
    assert_eq!(error.to_string(), "body: tags[1]: expected a string (at byte 6)");
    assert_eq!(shop.request("GET", "/v1/books", "x").unwrap_err(), RequestError::UnexpectedBody);
}

#[test]
fn a_patch_without_a_mask_gets_that_of_its_body() {
    let shop = shop();
    for (body, mask) in [
        (r#"{"title":"t","tags":[],"labels":{}}"#, r#""title,tags,labels""#),
        (
            r#"{"details":{"pages":1,"editor":{"name":"n"},"longNote":null},"printed":"2026-01-01T00:00:00Z"}"#,
            r#""details.pages,details.editor.name,details.longNote,printed""#,
        ),
        (r#"{"author":{}}"#, r#""author""#),
        (r#"{"author":null}"#, r#""author""#),
        ("{}", r#""""#),
    ] {
        let request = shop.request("PATCH", "/v1/books/7", body).unwrap();
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        assert_eq!(request["updateMask"].to_string(), mask, "{body}");
    }
    let options = RequestOptions { patch_masks: false, ..RequestOptions::default() };
    let plain = shop.pieces("PATCH", "/v1/books/7", &[br#"{"title":"t"}"#], &options).unwrap();
    assert_eq!(plain, [r#"{"book":{"id":"7","title":"t"}}"#]);
}

#[test]
fn a_body_cut_anywhere_gives_the_same_request() {
    let shop = shop();
    let options = RequestOptions::default();
    let body = r#"{"title":"ä\u00e4\"\\","tags":["a","b"],"labels":{"k":"v"}}"#.as_bytes();
    let whole = shop.pieces("POST", "/v1/shelves/s/books", &[body], &options).unwrap();
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(shop.pieces("POST", "/v1/shelves/s/books", &bytes, &options).unwrap(), whole);
    for cut in 0..body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(shop.pieces("POST", "/v1/shelves/s/books", &[head, tail], &options).unwrap(), whole, "cut at {cut}");
    }
}

#[test]
fn a_stream_of_messages_is_given_one_by_one() {
    let shop = shop();
    let options = RequestOptions::default();
    let expected = [r#"{"id":"1","shelf":"s"}"#, r#"{"id":"2"}"#, "{}"];
    for body in [r#"[{"id":"1"}, {"id":"2"},{}]"#, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n{}\n"] {
        for size in 1..body.len() {
            let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
            assert_eq!(shop.pieces("POST", "/v1/shelves/s/import", &pieces, &options).unwrap(), expected, "{body} by {size}");
        }
    }
    assert_eq!(shop.pieces("POST", "/v1/shelves/s/import", &[b"[]"], &options).unwrap(), Vec::<String>::new());
    for body in ["[{\"id\":\"1\"}", "[{\"id\":\"1\"},]", "{\"id\":", "[{\"id\":1}]"] {
        assert!(shop.pieces("POST", "/v1/shelves/s/import", &[body.as_bytes()], &options).is_err(), "{body}");
    }
}

#[test]
fn an_http_body_is_taken_as_it_is() {
    let shop = shop();
    let options = RequestOptions::default();
    let whole = shop.pieces("PUT", "/v1/covers", &[b"not ", b"{json"], &options).unwrap();
    assert_eq!(whole, [r#"{"contentType":"text/plain","data":"bm90IHtqc29u"}"#]);
    let field = shop.pieces("PUT", "/v1/books/7/page?number=3", &[b"page"], &options).unwrap();
    let expected = r#"{"id":"7","number":3,"page":{"contentType":"text/plain","data":"cGFnZQ=="}}"#;
    assert_same(&field[0], expected, "a field");
}

#[test]
fn a_body_beyond_the_limit_is_refused() {
    let shop = shop();
    let mut options = RequestOptions { json: ReadOptions::default(), ..RequestOptions::default() };
    options.json.limits.input = 20;
    let body = r#"{"title":"a long title"}"#.as_bytes();
    assert_eq!(shop.pieces("POST", "/v1/shelves/s/books", &[body], &options), Err(RequestError::TooLarge));
}
