//! Calls that pass unread: for the edge, which has written the call's metadata.
//!
//! They go to an endpoint as any call does. One that passes part by part is never sent again: what has passed is gone. One
//! whose only message is held is, as far as its method says that a repeat does no harm.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, uri::PathAndQuery};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, timeout};
use tonic::Status;
use tracing::{Instrument, Span};
use weft_call::{Call, Code, Deadline, Error, MeshReason, MethodContract, MethodKind, TraceContext};
use weft_telemetry::{client_span, record_endpoint, within};

use super::{
    Domain, Shared, Upstreams,
    body::{self, Answer},
    layer::Attempt,
    measure::Measure,
    retry::{Repeated, Repeats},
    unknown,
};
use crate::{
    frame::OneMessage,
    metadata,
    status::{error_from_h2, error_from_status, late},
};

/// The body of a forwarded answer.
#[derive(Default)]
pub struct ForwardBody {
    content: Content,
    watch: Watch,
}

#[derive(Default)]
enum Content {
    #[default]
    Nothing,
    /// What comes from the server.
    Coming(Answer),
    /// What is there already.
    There(OneMessage),
}

impl ForwardBody {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// One message, which is put into its frame, and the trailers of a call that went well.
    pub fn message(message: &[u8], trailers: HeaderMap) -> Result<Self, Error> {
        Ok(Self { content: Content::There(OneMessage::answer(message, trailers)?), watch: Watch::default() })
    }
}

impl Upstreams {
    /// Forwards a call of a method, whose metadata is written already: measured, and with a span of its own in the trace.
    /// Dropping the answer cancels the call.
    pub async fn forward<B>(
        &self,
        method: &'static MethodContract,
        trace: &TraceContext,
        mut request: http::Request<B>,
    ) -> Result<http::Response<ForwardBody>, Error>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let span = client_span(method, trace);
        if !span.is_disabled() {
            metadata::set_trace(&within(&span, trace), request.headers_mut());
        }
        let mut watch = self.watch(method, &span);
        // Pinned, as futures that are handed on are copied at every step.
        let sent = pin!(self.send_by(method.domain, Some(method), Attempt::default(), request).instrument(span));
        let answered = sent.await.inspect_err(|error| watch.end(error.code()))?;
        Ok(answered.watched(watch))
    }

    /// Forwards a call with one message, framed, whose metadata is written already; sent again as calls of other domains are.
    /// What is answered by the last attempt is given as it is.
    pub async fn forward_message(
        &self,
        method: &'static MethodContract,
        call: &Call,
        mut headers: HeaderMap,
        frame: Bytes,
    ) -> Result<http::Response<ForwardBody>, Error> {
        let span = client_span(method, call.trace());
        if !span.is_disabled() {
            metadata::set_trace(&within(&span, call.trace()), &mut headers);
        }
        let mut watch = self.watch(method, &span);
        let sent = pin!(self.send_again(method, call, headers, frame).instrument(span));
        let answered = sent.await.inspect_err(|error| watch.end(error.code()))?;
        Ok(answered.watched(watch))
    }

    /// Sends a gRPC request to a domain as it is, its body unread.
    pub async fn send<B>(&self, domain: &str, request: http::Request<B>) -> Result<http::Response<ForwardBody>, Error>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Ok(self.send_by(domain, None, Attempt::default(), request).await?.response)
    }

    fn watch(&self, method: &'static MethodContract, span: &Span) -> Watch {
        Watch(Some(Measure { metrics: self.0.calls.of(method), began: Instant::now(), span: span.clone() }))
    }

    async fn send_again(
        &self,
        method: &'static MethodContract,
        call: &Call,
        mut headers: HeaderMap,
        frame: Bytes,
    ) -> Result<Answered, Error> {
        let Shared { metrics, tuning, .. } = &*self.0;
        let Domain { retries, .. } = self.domain(method.domain).map_err(Error::internal)?;
        let deadline = call.deadline();
        let mut repeats = Repeats::begin(Repeated { budget: &retries, metrics, tuning, method, deadline }, call);
        loop {
            let mut request = http::Request::new(Full::new(frame.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = Uri::from_static(method.path);
            *request.headers_mut() = headers.clone();
            // Not given up for another endpoint: only this one's answer is waited for.
            let attempt = Attempt { giving_up: None, ..repeats.attempt() };
            let sent = self.send_by(method.domain, Some(method), attempt, request).await;
            let failed = sent.as_ref().map_or_else(Some, |answered| answered.failure.as_ref());
            match failed {
                Some(failed) if repeats.may_follow(failed).await => {}
                _ => return sent,
            }
            metadata::set_timeout(deadline.map(Deadline::remaining), &mut headers);
        }
    }

    async fn send_by<B>(
        &self,
        domain: &str,
        method: Option<&'static MethodContract>,
        attempt: Attempt<'_>,
        request: http::Request<B>,
    ) -> Result<Answered, Error>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let balancer = self.domain(domain).map_err(Error::internal)?.balancer;
        let picked = balancer.pick(attempt).ok_or_else(|| unknown(domain))?;
        let span = Span::current();
        if !span.is_disabled() {
            let endpoint = picked.member.endpoint();
            record_endpoint(&span, &endpoint.host, endpoint.port);
        }
        let _under_way = picked.under_way();
        // A stream holds no place among calls that end, and when its head comes says nothing.
        let ends = method.filter(|method| method.kind == MethodKind::Unary);
        let place = Some(picked.enter(None).await?).filter(|_| ends.is_some());
        let began = Instant::now();
        let limit = metadata::timeout(request.headers());
        let (mut head, body) = request.into_parts();
        let mut answering = pin!(async {
            let connection = picked.connection(began).await?;
            let path = head.uri.into_parts().path_and_query;
            head.uri = connection.uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
            body::exchange(connection, http::Request::from_parts(head, body)).await.map_err(error_from_h2)
        });
        let result = match limit {
            Some(limit) => timeout(limit, answering.as_mut()).await.unwrap_or_else(|_| Err(late())),
            None => answering.as_mut().await,
        };
        let took = began.elapsed();
        let result = result.map(Answered::new);
        let failed = result.as_ref().map_or_else(Some, |answered| answered.failure.as_ref());
        let overloaded = picked.observe(failed.map_or(Ok(()), Err), Some(took), method);
        if let (Some(_), Some(tried)) = (failed, attempt.tried) {
            tried.add(&picked.member);
        }
        if let (Some(place), Some(method)) = (place, ends) {
            place.leave(method, took, overloaded);
        }
        result
    }
}

/// An answer whose head has come.
struct Answered {
    response: http::Response<ForwardBody>,
    /// What the head says, if it is that the call failed.
    failure: Option<Error>,
}

impl Answered {
    fn new(response: http::Response<Answer>) -> Self {
        let failure = failure(response.status(), response.headers());
        Self {
            response: response.map(|answer| ForwardBody { content: Content::Coming(answer), watch: Watch::default() }),
            failure,
        }
    }

    /// The answer, which tells how it ends.
    fn watched(self, mut watch: Watch) -> http::Response<ForwardBody> {
        if let Some(code) = code(self.response.headers()) {
            watch.end(code);
        }
        self.response.map(|answer| ForwardBody { watch, ..answer })
    }
}

/// How a call failed whose answer begins so, if it did.
fn failure(status: StatusCode, headers: &HeaderMap) -> Option<Error> {
    match headers.get(Status::GRPC_STATUS) {
        Some(code) if code == "0" => None,
        Some(_) => Status::from_header_map(headers).map(|status| error_from_status(&status)),
        None if status == StatusCode::OK => None,
        // Something else than a server of gRPC answers there ("HTTP to gRPC Status Code Mapping").
        None => Some(match status.as_u16() {
            429 | 502..=504 => Error::new(MeshReason::UpstreamUnavailable, format!("HTTP status {status}")),
            _ => Error::without_reason(Code::Unknown, format!("HTTP status {status}")),
        }),
    }
}

/// Tells once how the call ended; one that is dropped before was cancelled.
#[derive(Default)]
struct Watch(Option<Measure>);

impl Watch {
    fn end(&mut self, code: Code) {
        if let Some(measure) = self.0.take() {
            measure.end_with(code);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

impl Body for ForwardBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match &mut self.content {
            Content::Nothing => return Poll::Ready(None),
            Content::Coming(answer) => {
                let frame = ready!(Pin::new(answer).poll_frame(context));
                frame.map(|frame| frame.map_err(|error| Status::from_error(error.into())))
            }
            Content::There(message) => {
                let frame = ready!(Pin::new(message).poll_frame(context));
                frame.map(|frame| frame.map_err(|never| match never {}))
            }
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.watch.end(code(trailers).unwrap_or(Code::Unknown));
                }
            }
            Some(Err(_)) => self.watch.end(Code::Unavailable),
            None => self.watch.end(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::Coming(answer) => answer.is_end_stream(),
            Content::There(message) => message.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Coming(answer) => answer.size_hint(),
            Content::There(message) => message.size_hint(),
        }
    }
}

/// How a call ended, if these headers or trailers say so.
fn code(headers: &HeaderMap) -> Option<Code> {
    let number = headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    Some(number.map_or(Code::Unknown, Code::from_number))
}
