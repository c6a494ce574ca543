//! An answer of many messages, written as they come.
//!
//! Flow control is end to end: the next message is taken from the domain only when the client has taken what was
//! written before, and a client that goes away drops the call.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream as _;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header, request::Parts};
use http_body::{Body, Frame};
use tokio::time::Sleep;
use weft_call::{Code, Error, Result};
use weft_transcode::{PrintOptions, ResponseBody};

use super::{
    Answered, accept,
    conditional::{self, Wanted},
    form::Form,
    reply::{self, Head, raw_type},
};
use crate::{
    catalogue::{Catalogue, Route},
    error::{Failure, status_json},
    exchange::for_client,
    fault::Fault,
    grpc::answer::{Answer, Messages},
    record::Observation,
};

/// How long the head of an answer waits for the first message, so that a failure can still choose the status.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long what was written before a failure may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(50);
/// Messages that are ready are written together up to about this size, in bytes.
const BATCH: usize = 16 * 1024;

/// The length of a stream of bytes, which the service may state before the first: then clients may ask for parts.
const LENGTH: &str = "x-content-length";

/// A failure after which the body must not look whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer failed after its first message")]
struct BrokenOff;

/// The answer, still to be written.
pub(super) struct JsonMessages {
    catalogue: Arc<Catalogue>,
    /// The route's place among the router's.
    binding: usize,
    messages: Messages,
    form: Form,
    /// Of a stream of bytes: how many are still to be skipped, and how many then to be given.
    part: (u64, u64),
    gives_trailers: bool,
    written: bool,
    state: State,
    fault: Fault,
    observation: Option<Observation>,
}

enum State {
    Flowing,
    Ending(HeaderMap),
    /// What was written is given this long to leave: HTTP drops it when the body breaks off.
    Breaking(Pin<Box<Sleep>>),
    Ended,
}

/// The head of the answer, and what writes its body.
pub(super) async fn response(
    catalogue: &Arc<Catalogue>,
    route: &Route<'_>,
    parts: &Parts,
    answer: Answer,
) -> Result<Answered, Failure> {
    let Answer { headers, mut messages } = answer;
    messages.settle(PATIENCE).await?;
    let rules = &route.served.rules;
    let form = if route.matched.binding.gives_raw_body(&catalogue.schema) {
        Form::Bytes(first_type(catalogue, route, &messages)?)
    } else {
        Form::of(accept::form(&parts.headers, rules.form()), rules)
    };
    let mut head = Head { status: None, headers, trailers: HeaderMap::new() }.with_status();
    let (mut status, length) = (head.status(), head.headers.remove(LENGTH));
    let mut headers = for_client(head.headers);
    headers.insert(header::CONTENT_TYPE, form.content_type());
    headers.append(header::VARY, HeaderValue::from_static("accept"));
    let mut part = (0, u64::MAX);
    match form {
        Form::Events { .. } => _ = headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store")),
        Form::Bytes(_) if status == StatusCode::OK => {
            reply::cache(rules, &mut headers, || None);
            if conditional::is_known(&parts.headers, &headers) {
                return Ok(Answered::Whole(reply::not_modified(headers)));
            }
            if let Some(total) = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok()) {
                part = choose(parts, &mut headers, total)?;
                if headers.contains_key(header::CONTENT_RANGE) {
                    status = StatusCode::PARTIAL_CONTENT;
                }
            }
        }
        Form::Array | Form::Lines | Form::Bytes(_) => {}
    }
    let mut response = Response::new(JsonMessages {
        catalogue: Arc::clone(catalogue),
        binding: route.matched.binding.index(),
        messages,
        form,
        part,
        gives_trailers: parts.version == Version::HTTP_2,
        written: false,
        state: State::Flowing,
        fault: Fault::default(),
        observation: None,
    });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(Answered::Stream(Box::new(response)))
}

/// How many of `total` bytes are skipped, and how many are then given.
fn choose(parts: &Parts, headers: &mut HeaderMap, total: u64) -> Result<(u64, u64), Failure> {
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let (skipped, given) = match conditional::wanted(&parts.headers, headers, total) {
        Wanted::Whole => (0, total),
        Wanted::Nothing => return Err(Failure::range_not_satisfiable(total)),
        Wanted::Part(first, last) => {
            headers.insert(header::CONTENT_RANGE, reply::content_range(first, last, total));
            (first, last - first + 1)
        }
    };
    headers.insert(header::CONTENT_LENGTH, given.into());
    Ok((skipped, given))
}

/// The type of a stream of bytes: what its first message names.
fn first_type(catalogue: &Catalogue, route: &Route<'_>, messages: &Messages) -> Result<HeaderValue> {
    let Some(first) = messages.first() else { return Ok(raw_type("")) };
    let print = PrintOptions::default();
    match route.matched.binding.response_body(&catalogue.schema, first, &print, &mut Vec::new()).map_err(Error::internal)? {
        ResponseBody::Raw { content_type, .. } => Ok(raw_type(content_type)),
        ResponseBody::Json => Ok(raw_type("")),
    }
}

impl JsonMessages {
    /// Writes down how it ends.
    pub(super) fn observed(mut self, observation: Observation) -> Self {
        self.observation = Some(observation);
        self
    }

    /// What goes wrong with the requests is why the answer fails.
    pub(super) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn write(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        out.extend_from_slice(self.form.before(!self.written));
        let binding = &self.catalogue.router.bindings()[self.binding];
        let made = binding.response_body(&self.catalogue.schema, message, &PrintOptions::default(), out);
        match made {
            Ok(ResponseBody::Json) => {}
            Ok(ResponseBody::Raw { data, .. }) => out.extend_from_slice(cut(&mut self.part, data)),
            Err(error) => {
                out.truncate(start);
                return Err(Error::internal(error));
            }
        }
        out.extend_from_slice(self.form.after());
        self.written = true;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.extend(self.form.end(!self.written));
        let trailers = if self.gives_trailers { for_client(self.messages.take_trailers()) } else { HeaderMap::new() };
        self.state = State::Ending(trailers);
        if let Some(observation) = &mut self.observation {
            observation.finish(Code::Ok, None);
        }
    }

    fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        let error = self.fault.take().map_or(error, |failure| failure.error);
        let request_id = self.observation.as_ref().map(|observation| observation.arrival.request_id.clone());
        if let Some(observation) = &mut self.observation {
            observation.fail(&error);
        }
        self.state = match self.form.failure(&status_json(&error, request_id.as_ref())) {
            Some(record) => {
                out.extend_from_slice(record.as_bytes());
                State::Ending(HeaderMap::new())
            }
            None => State::Breaking(Box::pin(tokio::time::sleep(LAST_WORDS))),
        };
    }

    /// Writes what is there; pending if that is nothing.
    fn poll_write(&mut self, context: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<()> {
        while out.len() < BATCH {
            let item = match Pin::new(&mut self.messages).poll_next(context) {
                Poll::Ready(item) => item,
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(()),
            };
            let failed = match item {
                Some(Ok(message)) => match self.write(&message, out) {
                    Ok(()) if self.part.1 > 0 => continue,
                    // The part is whole: the rest is of no use.
                    Ok(()) => {
                        self.end(out);
                        return Poll::Ready(());
                    }
                    Err(error) => error,
                },
                Some(Err(error)) => error,
                None => {
                    self.end(out);
                    return Poll::Ready(());
                }
            };
            self.fail(failed, out);
            return Poll::Ready(());
        }
        Poll::Ready(())
    }
}

/// What of the next bytes belongs to the part.
fn cut<'d>((skipped, given): &mut (u64, u64), data: &'d [u8]) -> &'d [u8] {
    let within = |count: u64, length: usize| usize::try_from(count).map_or(length, |count| count.min(length));
    let skip = within(*skipped, data.len());
    let data = &data[skip..];
    let data = &data[..within(*given, data.len())];
    *skipped -= skip as u64;
    *given -= data.len() as u64;
    data
}

impl Body for JsonMessages {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if matches!(self.state, State::Flowing) {
            let mut out = Vec::new();
            ready!(self.poll_write(context, &mut out));
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
        }
        if let State::Breaking(last_words) = &mut self.state {
            ready!(last_words.as_mut().poll(context));
        }
        Poll::Ready(match std::mem::replace(&mut self.state, State::Ended) {
            State::Ending(trailers) if !trailers.is_empty() => Some(Ok(Frame::trailers(trailers))),
            State::Breaking(_) => Some(Err(BrokenOff.into())),
            State::Flowing | State::Ending(_) | State::Ended => None,
        })
    }
}
