//! Log lines as JSON objects, flat.
//!
//! `tracing-subscriber`'s own JSON nests the fields of spans in lists, where a search for one
//! `request_id` does not find them. Here what names the call, the fields of the surrounding spans and
//! those of the event stand side by side; where names clash the inner one wins.

use std::fmt;
use std::io::Write;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use crate::call_lines::CallLines;

/// Fields of the line itself; a field of an event with such a name is written as `field.<name>`.
const RESERVED: [&str; 3] = ["timestamp", "level", "target"];

/// Longest text of one field, in bytes; a stranger may have a say in what it holds.
const LONGEST: usize = 8 * 1024;

/// Writes each event as one JSON object on a line of its own.
pub(crate) struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    pub(crate) const fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields(Vec::with_capacity(attributes.fields().len()));
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        CallLines::show(|name, value| fields.put_text(name, value.to_owned()));
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                outer.0.iter().for_each(|(name, value)| fields.put(name, value.clone()));
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = line(metadata.level().as_str(), metadata.target(), &fields);
        // One write, so that lines of several threads do not mix. There is nowhere to report to when
        // stderr is gone.
        let _ = self.writer.make_writer_for(metadata).write_all(&line);
    }
}

fn line(level: &str, target: &str, fields: &Fields) -> Vec<u8> {
    let mut time = String::new();
    // Writing to a String does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let mut line = b"{".to_vec();
    member(&mut line, "timestamp", &Value::from(time));
    member(&mut line, "level", &Value::from(level));
    member(&mut line, "target", &Value::from(target));
    for (name, value) in &fields.0 {
        if RESERVED.contains(name) {
            member(&mut line, &format!("field.{name}"), value);
        } else {
            member(&mut line, name, value);
        }
    }
    line.extend_from_slice(b"}\n");
    line
}

fn member(line: &mut Vec<u8>, name: &str, value: &Value) {
    if line.len() > 1 {
        line.push(b',');
    }
    // Text and numbers always have a JSON form, and writing to a Vec does not fail.
    let _ = serde_json::to_writer(&mut *line, name);
    line.push(b':');
    let _ = serde_json::to_writer(line, value);
}

/// Fields in the order they came, each name once.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }

    fn put_text(&mut self, name: &'static str, mut text: String) {
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        self.put(name, Value::from(text));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // NaN and the infinities have no JSON number: they become null.
        self.put(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // Those are directions to the traces' exporter, such as `otel.kind`.
        if !field.name().starts_with("otel.") {
            self.put_text(field.name(), value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::io;
    use std::sync::{Arc, Mutex};

    use secrecy::SecretString;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that the work logs, each read as JSON.
    pub(crate) fn logged(work: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = Registry::default().with(JsonLines::new(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_holds_the_fields_of_the_spans_around_it() {
        let lines = logged(|| {
            let outer = tracing::info_span!("request", request_id = "r-1", trace_id = "t-1", principal = tracing::field::Empty);
            let inner = tracing::info_span!(parent: &outer, "call", domain = "orders", method = "CreateOrder", attempt = 1);
            outer.record("principal", "user:7");
            inner.in_scope(|| tracing::warn!(attempt = 2, ok = true, share = 0.5, "stored {}", "it"));
        });
        let line = &lines[0];
        for (name, value) in [
            ("request_id", "r-1"),
            ("trace_id", "t-1"),
            ("principal", "user:7"),
            ("domain", "orders"),
            ("method", "CreateOrder"),
            ("level", "WARN"),
            ("message", "stored it"),
        ] {
            assert_eq!(line[name], value, "{line}");
        }
        assert_eq!(line["attempt"], 2);
        assert_eq!(line["ok"], true);
        assert_eq!(line["share"], 0.5);
        assert!(line["target"].as_str().unwrap().starts_with("weft_telemetry"));
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn each_name_is_written_once() {
        let mut fields = Fields::default();
        fields.put("attempt", Value::from(1));
        fields.put("attempt", Value::from(2));
        let line = String::from_utf8(line("INFO", "t", &fields)).unwrap();
        assert_eq!(line.matches("\"attempt\":").count(), 1);
        assert!(line.contains("\"attempt\":2"));
    }

    #[test]
    fn a_secret_in_a_field_is_redacted() {
        let secret = SecretString::from("hunter2");
        let lines = logged(|| tracing::info!(password = ?secret, "signed in"));
        assert!(!lines[0].to_string().contains("hunter2"));
        assert!(lines[0]["password"].as_str().unwrap().contains("REDACTED"));
    }

    #[test]
    fn text_from_outside_cannot_forge_a_line() {
        let forged = "x\"}\n{\"level\":\"ERROR\"";
        let lines = logged(|| tracing::info!(peer = forged, "{forged}"));
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["peer"], forged);
        assert_eq!(lines[0]["message"], forged);
        assert_eq!(lines[0]["level"], "INFO");
    }

    #[test]
    fn a_field_cannot_replace_those_of_the_line() {
        let lines = logged(|| tracing::info!(level = "mine", timestamp = 1, "x"));
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["field.level"], "mine");
        assert_eq!(lines[0]["field.timestamp"], 1);
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "é".repeat(LONGEST);
        let lines = logged(|| tracing::info!(long, not_a_number = f64::NAN, "x"));
        assert_eq!(lines[0]["long"].as_str().unwrap().len(), LONGEST + '…'.len_utf8());
        assert!(lines[0]["not_a_number"].is_null());
    }
}
