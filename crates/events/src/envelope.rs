//! What travels: a CloudEvent (version 1.0, JSON format) around a message of a contract.
//!
//! Sources: CloudEvents 1.0.2, sections 3 and 4; its JSON event format, section 3; the extensions
//! `partitionkey`, `sequence`, `traceparent` and `tracestate` as its own documents have them. Ours are
//! `tenantid`, `requestid` (shared by all that one request causes) and `causationid` (the event whose
//! handling published this one).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;
use weft_call::{Event, RequestId, TenantId, TraceContext};

/// Largest envelope, in bytes.
pub const ENVELOPE_LIMIT: usize = 1024 * 1024;

const PROTOBUF: &str = "application/protobuf";
const SCHEMA: &str = "proto:";

/// An event of the mesh on its way.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    /// Unique over the mesh (UUIDv7).
    pub id: Uuid,
    /// The domain that published it.
    pub source: String,
    /// Its topic: `events.order.created`.
    pub topic: String,
    /// What it is about.
    pub key: String,
    /// Its place in the log of its source.
    pub position: i64,
    /// The tenant that it belongs to.
    pub tenant: TenantId,
    /// When it was published.
    pub time: DateTime<Utc>,
    /// The request that it comes from, however far away.
    pub request_id: RequestId,
    /// The event whose handling published it.
    pub causation: Option<Uuid>,
    /// The trace that it belongs to.
    pub trace: TraceContext,
    /// The full protobuf name of its message.
    pub message: String,
    /// The encoded message.
    pub data: Vec<u8>,
}

/// The message is left out: it may hold what is sensitive.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("topic", &self.topic)
            .field("key", &self.key)
            .field("position", &self.position)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// Why something is no event of the mesh.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is larger than [`ENVELOPE_LIMIT`].
    #[error("the envelope is {0} bytes large, where {ENVELOPE_LIMIT} is the limit")]
    TooLarge(usize),
    /// It is no JSON object.
    #[error("the envelope is no JSON object")]
    Json(#[source] serde_json::Error),
    /// An attribute that must be there is not.
    #[error("the attribute `{0}` is missing")]
    Missing(&'static str),
    /// An attribute is not what CloudEvents or the mesh asks for.
    #[error("the attribute `{attribute}` must be {must}")]
    Invalid {
        /// Which.
        attribute: String,
        /// What it must be.
        must: &'static str,
    },
    /// The message is another than the one that is asked for.
    #[error("the event holds a {found}, not a {wanted}")]
    OtherMessage {
        /// What it holds.
        found: String,
        /// What is asked for.
        wanted: &'static str,
    },
    /// The data is no such message.
    #[error("the data is no {message}")]
    Data {
        /// What it should be.
        message: &'static str,
        /// Why it is not.
        source: prost::DecodeError,
    },
}

fn invalid(attribute: impl Into<String>, must: &'static str) -> EnvelopeError {
    EnvelopeError::Invalid { attribute: attribute.into(), must }
}

impl Envelope {
    /// The message, as the type that its topic has.
    pub fn message<E: Event>(&self) -> Result<E, EnvelopeError> {
        if self.message != E::EVENT.message {
            return Err(EnvelopeError::OtherMessage { found: self.message.clone(), wanted: E::EVENT.message });
        }
        E::decode(&*self.data).map_err(|source| EnvelopeError::Data { message: E::EVENT.message, source })
    }

    /// The CloudEvent in JSON.
    pub fn to_json(&self) -> String {
        let mut json = Map::new();
        let mut set = |name: &str, value: String| json.insert(name.to_owned(), Value::String(value));
        set("specversion", "1.0".to_owned());
        set("id", self.id.to_string());
        set("source", format!("/{}", self.source));
        set("type", self.topic.clone());
        set("subject", self.key.clone());
        set("time", self.time.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        set("datacontenttype", PROTOBUF.to_owned());
        set("dataschema", format!("{SCHEMA}{}", self.message));
        set("partitionkey", self.key.clone());
        set("sequence", self.position.to_string());
        set("tenantid", self.tenant.to_string());
        set("requestid", self.request_id.to_string());
        set("traceparent", self.trace.traceparent());
        if !self.trace.state.is_empty() {
            set("tracestate", self.trace.state.to_string());
        }
        if let Some(causation) = self.causation {
            set("causationid", causation.to_string());
        }
        set("data_base64", STANDARD.encode(&self.data));
        Value::Object(json).to_string()
    }

    /// Reads a CloudEvent in JSON that the mesh wrote.
    pub fn from_json(text: &[u8]) -> Result<Self, EnvelopeError> {
        let event = CloudEvent::parse(text)?;
        let source = event.text("source")?.strip_prefix('/').unwrap_or_default().to_owned();
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if source.is_empty() || !source.chars().all(word) {
            return Err(invalid("source", "a domain's name after a slash"));
        }
        if event.text("datacontenttype")? != PROTOBUF {
            return Err(invalid("datacontenttype", PROTOBUF));
        }
        let message = event.text("dataschema")?.strip_prefix(SCHEMA);
        let message = message.ok_or_else(|| invalid("dataschema", "`proto:` and the name of a message"))?.to_owned();
        let request_id = RequestId::parse(event.text("requestid")?).map_err(|_| invalid("requestid", "a request id"))?;
        let state = event.optional("tracestate");
        let trace = TraceContext::parse(event.text("traceparent")?, state);
        let time = DateTime::parse_from_rfc3339(event.text("time")?);
        Ok(Self {
            id: event.uuid("id")?,
            source,
            topic: event.text("type")?.to_owned(),
            key: event.text("subject")?.to_owned(),
            position: event.text("sequence")?.parse().map_err(|_| invalid("sequence", "a whole number"))?,
            tenant: TenantId(event.uuid("tenantid")?),
            time: time.map_err(|_| invalid("time", TIME))?.to_utc(),
            request_id,
            causation: event.optional("causationid").map(|_| event.uuid("causationid")).transpose()?,
            trace: trace.ok_or_else(|| invalid("traceparent", "a trace context"))?,
            message,
            data: event.binary()?,
        })
    }
}

const TIME: &str = "a time as RFC 3339 has it";

/// Anybody's CloudEvent, whose attributes hold what CloudEvents asks of them.
pub(crate) struct CloudEvent(Map<String, Value>);

impl CloudEvent {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, EnvelopeError> {
        if text.len() > ENVELOPE_LIMIT {
            return Err(EnvelopeError::TooLarge(text.len()));
        }
        let mut attributes: Map<String, Value> = serde_json::from_slice(text).map_err(EnvelopeError::Json)?;
        // JSON event format, section 2.2: null is the same as absent. As data it is a value.
        attributes.retain(|name, value| name == "data" || !value.is_null());
        for (name, value) in &attributes {
            check(name, value)?;
        }
        let event = Self(attributes);
        for required in ["specversion", "id", "source", "type"] {
            event.text(required)?;
        }
        if event.text("specversion")? != "1.0" {
            return Err(invalid("specversion", "1.0"));
        }
        if event.0.contains_key("data") && event.0.contains_key("data_base64") {
            return Err(invalid("data_base64", "absent beside `data`"));
        }
        Ok(event)
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn text(&self, name: &'static str) -> Result<&str, EnvelopeError> {
        self.optional(name).ok_or(EnvelopeError::Missing(name))
    }

    fn uuid(&self, name: &'static str) -> Result<Uuid, EnvelopeError> {
        Uuid::try_parse(self.text(name)?).map_err(|_| invalid(name, "a UUID"))
    }

    fn binary(&self) -> Result<Vec<u8>, EnvelopeError> {
        STANDARD.decode(self.text("data_base64")?).map_err(|_| invalid("data_base64", "base64"))
    }
}

/// One member of the object by the rules of CloudEvents.
fn check(name: &str, value: &Value) -> Result<(), EnvelopeError> {
    let text = value.as_str();
    let holds = |rule: bool, must: &'static str| if rule { Ok(()) } else { Err(invalid(name, must)) };
    match name {
        "data" => Ok(()),
        "data_base64" => holds(text.is_some_and(|text| STANDARD.decode(text).is_ok()), "base64"),
        "specversion" | "id" | "type" | "subject" | "datacontenttype" => {
            holds(text.is_some_and(|text| !text.is_empty()), "a string that is not empty")
        }
        "source" => holds(text.is_some_and(is_uri_reference), "a URI reference"),
        "dataschema" => holds(text.is_some_and(|text| text.contains(':') && is_uri_reference(text)), "a URI"),
        "time" => holds(text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()), TIME),
        _ => {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            holds(name.chars().all(plain) && !name.is_empty(), "named in lower-case letters and digits")?;
            let is_integer = value.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            holds(value.is_string() || value.is_boolean() || is_integer, "a string, a boolean or a 32-bit integer")
        }
    }
}

/// RFC 3986, as far as characters go.
fn is_uri_reference(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests;
