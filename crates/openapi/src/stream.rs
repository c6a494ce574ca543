//! How streams of messages are written in a body.

use prost::Message;

use crate::{
    error::OpenApiError,
    json::{Json, Object},
};

/// `weft.mesh.v1.RestForm`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RestForm {
    /// Which form a stream of answers has where the client does not say: 2 is lines, 3 is events.
    #[prost(int32, tag = "1")]
    stream: i32,
    /// The data of the event that ends a stream of events.
    #[prost(string, tag = "2")]
    sse_end: String,
    /// `Cache-Control` of answers to GET.
    #[prost(string, tag = "3")]
    pub(crate) cache_control: String,
}

/// `google.protobuf.MethodOptions`, as far as it says how a method looks as REST.
#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    #[prost(bool, tag = "33")]
    deprecated: bool,
    #[prost(message, optional, tag = "74301")]
    rest: Option<RestForm>,
}

impl RestForm {
    /// What a method's encoded options say, and whether they call it deprecated.
    pub(crate) fn read(options: &[u8]) -> Result<(Self, bool), OpenApiError> {
        let options = MethodOptions::decode(options)?;
        Ok((options.rest.unwrap_or_default(), options.deprecated))
    }

    /// The content of a stream of answers, the form that goes to those who do not ask first.
    pub(crate) fn answers(&self, item: &Object) -> Object {
        let mut forms = [array(item), lines(item), self.events(item)];
        let first = match self.stream {
            2 => 1,
            3 => 2,
            _ => 0,
        };
        forms[..=first].rotate_right(1);
        forms.into_iter().fold(Object::new(), |content, (kind, body)| content.with(kind, body))
    }

    fn events(&self, item: &Object) -> (&'static str, Object) {
        let end = match self.sse_end.as_str() {
            "" => String::new(),
            end => format!(" The last event's data is `{end}`."),
        };
        let about = format!(
            "Server-sent events, a message in the data of each.{end} A failure is an event `error` with a `google.rpc.Status`."
        );
        ("text/event-stream", texts(about, item))
    }
}

/// The content of a stream of requests.
pub(crate) fn requests(item: &Object) -> Object {
    let (array, lines) = (array(item), lines(item));
    Object::new().with(array.0, array.1).with(lines.0, lines.1)
}

fn array(item: &Object) -> (&'static str, Object) {
    let schema = Object::new().with("type", "array").with("items", item.clone());
    ("application/json", Object::new().with("schema", schema))
}

fn lines(item: &Object) -> (&'static str, Object) {
    let about =
        "A message a line. A failure of a stream of answers is a line with a `google.rpc.Status`, which its `@type` tells.";
    ("application/x-ndjson", texts(about.to_owned(), item))
}

fn texts(about: String, item: &Object) -> Object {
    let schema = Object::new()
        .with("type", "string")
        .with("description", about)
        .with("contentMediaType", "application/json")
        .with("contentSchema", Json::from(item.clone()));
    Object::new().with("schema", schema)
}
