//! How a stream of JSON values is written, and how its end and its failure look.
//!
//! | form | a message | the end | a failure |
//! |---|---|---|---|
//! | array | an element | `]` | the array is never closed: the body breaks off |
//! | lines | a line | nothing | a line with `"@type": "type.googleapis.com/google.rpc.Status"` |
//! | events | `data:` | the contract's end marker, if any | an event `error` with the status |
//! | bytes (`HttpBody`) | its data | nothing | the body breaks off |

use http::HeaderValue;

use super::rules::{Rules, StreamForm};

/// How a stream is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Array,
    Lines,
    Events {
        /// The data of the last event, if there is one.
        end: String,
    },
    Bytes(HeaderValue),
}

impl Form {
    pub(super) fn of(form: StreamForm, rules: &Rules) -> Self {
        match form {
            StreamForm::Unspecified | StreamForm::Array => Self::Array,
            StreamForm::Lines => Self::Lines,
            StreamForm::Events => Self::Events { end: rules.sse_end.clone() },
        }
    }

    pub(super) fn content_type(&self) -> HeaderValue {
        match self {
            Self::Array => HeaderValue::from_static("application/json"),
            Self::Lines => HeaderValue::from_static("application/x-ndjson"),
            Self::Events { .. } => HeaderValue::from_static("text/event-stream"),
            Self::Bytes(kind) => kind.clone(),
        }
    }

    /// What stands before a message.
    pub(super) fn before(&self, is_first: bool) -> &'static [u8] {
        match self {
            Self::Array if is_first => b"[",
            Self::Array => b",",
            Self::Events { .. } => b"data: ",
            Self::Lines | Self::Bytes(_) => b"",
        }
    }

    /// What stands behind a message.
    pub(super) fn after(&self) -> &'static [u8] {
        match self {
            Self::Lines => b"\n",
            Self::Events { .. } => b"\n\n",
            Self::Array | Self::Bytes(_) => b"",
        }
    }

    /// What stands behind the last message; `was_empty` if there was none.
    pub(super) fn end(&self, was_empty: bool) -> Vec<u8> {
        match self {
            Self::Array if was_empty => b"[]".to_vec(),
            Self::Array => b"]".to_vec(),
            Self::Events { end } if !end.is_empty() => {
                // A line break in an event's data begins another line of it (HTML, "Server-sent events").
                format!("data: {}\n\n", end.replace('\n', "\ndata: ")).into_bytes()
            }
            Self::Lines | Self::Events { .. } | Self::Bytes(_) => Vec::new(),
        }
    }

    /// The record of a failure; `None` where a body that breaks off must say it.
    pub(super) fn failure(&self, status: &serde_json::Value) -> Option<String> {
        match self {
            Self::Array | Self::Bytes(_) => None,
            Self::Lines => {
                let mut record = status.clone();
                record["@type"] = "type.googleapis.com/google.rpc.Status".into();
                Some(format!("{record}\n"))
            }
            Self::Events { .. } => Some(format!("event: error\ndata: {status}\n\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(form: &Form, messages: &[&str]) -> String {
        let mut out = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            out.extend_from_slice(form.before(index == 0));
            out.extend_from_slice(message.as_bytes());
            out.extend_from_slice(form.after());
        }
        out.extend(form.end(messages.is_empty()));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_form_frames_its_messages_and_its_end() {
        let events = |end: &str| Form::Events { end: end.to_owned() };
        for (form, none, two) in [
            (Form::Array, "[]", "[1,2]"),
            (Form::Lines, "", "1\n2\n"),
            (events(""), "", "data: 1\n\ndata: 2\n\n"),
            (events("[DONE]"), "data: [DONE]\n\n", "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"),
            (events("a\nb"), "data: a\ndata: b\n\n", "data: 1\n\ndata: 2\n\ndata: a\ndata: b\n\n"),
            (Form::Bytes(HeaderValue::from_static("text/csv")), "", "12"),
        ] {
            assert_eq!(written(&form, &[]), none, "{form:?}");
            assert_eq!(written(&form, &["1", "2"]), two, "{form:?}");
        }
    }

    #[test]
    fn a_failure_is_a_record_of_its_own_kind_or_no_record() {
        let status = json!({"code": 8});
        assert_eq!(Form::Array.failure(&status), None);
        let line = Form::Lines.failure(&status).unwrap_or_default();
        assert_eq!(line, "{\"@type\":\"type.googleapis.com/google.rpc.Status\",\"code\":8}\n");
        let event = Form::Events { end: String::new() }.failure(&status).unwrap_or_default();
        assert_eq!(event, "event: error\ndata: {\"code\":8}\n\n");
    }
}
