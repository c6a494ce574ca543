//! One call to a domain in another place.
//!
//! Rule: the deadline is the earlier of the caller's and the contract's, and it is checked before
//! anything is sent; inside a database transaction nothing is sent at all (see
//! [`weft_call::transaction`]). A call that ends early, for whatever reason, resets its stream, so
//! that the other side stops working on it.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Request, client::Grpc, codegen::http::uri::PathAndQuery, metadata::MetadataMap, transport::Channel};
use tracing::Instrument;
use weft_call::{
    BoxFuture, Call, Code, Deadline, Error, MeshReason, MethodContract, MethodKind, Payload, Reply, Result, Streaming, Upstream,
    transaction,
};
use weft_telemetry::{Metrics, Side};

use super::{
    balance::{Balancer, Picked, Tried},
    retry::{self, RetryBudget},
};
use crate::{MESSAGE_LIMIT, codec::Encoded, metadata, status::error_from_status, tuning::LiveTuning};

/// A domain in another place.
pub(super) struct Remote {
    balancer: Arc<Balancer>,
    metrics: Metrics,
    retries: Arc<RetryBudget>,
    tuning: LiveTuning,
}

/// How one call is sent once.
struct Attempt {
    deadline: Option<Deadline>,
    /// After this long without an answer another endpoint is asked.
    patience: Option<Duration>,
    /// Whether it may be what an ejected endpoint is tried with.
    probes: bool,
}

impl Remote {
    pub(super) fn new(balancer: Arc<Balancer>, metrics: Metrics, retries: Arc<RetryBudget>, tuning: LiveTuning) -> Self {
        Self { balancer, metrics, retries, tuning }
    }

    async fn send(&self, call: &Call, method: &'static MethodContract, request: Payload) -> Result<Reply<Payload>> {
        if transaction::is_held() {
            let what = format!("{} was called inside a database transaction", method.path);
            return Err(Error::internal(what));
        }
        let deadline = budget(call, method);
        let once = Attempt { deadline, patience: None, probes: false };
        let mut tried = Tried::default();
        let Payload::Message(message) = request else {
            // A stream cannot be sent again: what was read of it is gone.
            return self.attempt(call, method, request, once, &mut tried).await.unwrap_or_else(|| Err(spent(method)));
        };
        self.retries.deposit(Instant::now());
        let repeatable = retry::may_repeat(method, call);
        for number in 1.. {
            let again = repeatable && number <= self.tuning.load().retry.attempts;
            let patience = |deadline: Deadline| retry::patience(deadline.remaining(), number, &self.tuning.load().retry);
            let patience = deadline.filter(|_| again).map(patience);
            let attempt = Attempt { deadline, patience, probes: repeatable && number == 1 };
            let failed = match self.attempt(call, method, Payload::Message(message.clone()), attempt, &mut tried).await {
                // Its time was up, and its repeat is paid for.
                None => continue,
                Some(Err(error)) if again => error,
                Some(result) => return result,
            };
            let fits = |pause: &Duration| deadline.is_none_or(|deadline| deadline.remaining() > *pause);
            let Some(pause) = retry::pause(&failed, number, &self.tuning.load().retry).filter(fits) else { return Err(failed) };
            if !self.retries.withdraw(Instant::now()) {
                return Err(failed);
            }
            tracing::debug!(attempt = number, error = %failed, "the call is sent again");
            tokio::time::sleep(pause).await;
        }
        Err(spent(method))
    }

    /// Sends the call once, to one endpoint, within its deadline; `None` if it was given up, because
    /// the endpoint did not answer within the attempt's patience and another may.
    async fn attempt(
        &self,
        call: &Call,
        method: &'static MethodContract,
        request: Payload,
        attempt: Attempt,
        tried: &mut Tried,
    ) -> Option<Result<Reply<Payload>>> {
        let left = attempt.deadline.map(Deadline::remaining);
        if left.is_some_and(|left| left.is_zero()) {
            return Some(Err(spent(method)));
        }
        let Some(picked) = self.balancer.pick(attempt.probes, tried) else { return Some(Err(super::unknown(method.domain))) };
        let _under_way = picked.under_way();
        let mut exchange = pin!(self.exchange(picked.channel(), call, method, request, left));
        if let Some(patience) = attempt.patience {
            match tokio::time::timeout(patience, exchange.as_mut()).await {
                Ok(result) => return Some(ended(&picked, tried, result)),
                Err(_) if self.balancer.has_other(&picked, tried) && self.retries.withdraw(Instant::now()) => {
                    tracing::debug!(?patience, "an endpoint does not answer: the call is sent to another");
                    picked.settle(Some(Code::DeadlineExceeded));
                    tried.add(&picked);
                    return None;
                }
                Err(_) => {}
            }
        }
        let result = match attempt.deadline {
            None => exchange.await,
            Some(deadline) => {
                let answered = tokio::time::timeout_at(deadline.instant(), exchange).await;
                answered.unwrap_or_else(|_| Err(spent(method)))
            }
        };
        Some(ended(&picked, tried, result))
    }

    async fn exchange(
        &self,
        channel: Channel,
        call: &Call,
        method: &'static MethodContract,
        request: Payload,
        left: Option<Duration>,
    ) -> Result<Reply<Payload>> {
        let mut headers = HeaderMap::with_capacity(8);
        let trace = weft_telemetry::current(&tracing::Span::current());
        metadata::inject(call, trace.as_ref().unwrap_or(call.trace()), left, &mut headers);
        let limit = MESSAGE_LIMIT;
        let mut grpc = Grpc::new(channel).max_decoding_message_size(limit).max_encoding_message_size(limit);
        let unreachable = |error| {
            Error::new(MeshReason::UpstreamUnavailable, format!("{} cannot be reached", method.domain)).with_source(error)
        };
        grpc.ready().await.map_err(unreachable)?;
        let request = into_request(headers, request);
        let response = grpc.streaming(request, PathAndQuery::from_static(method.path), Encoded).await;
        let (headers, stream, _) = response.map_err(|status| error_from_status(&status))?.into_parts();
        let mut reply = reply(headers.into_headers());
        if matches!(method.kind, MethodKind::Unary | MethodKind::ClientStreaming) {
            let (message, trailers) = only_message(stream).await?;
            reply.trailers = trailers;
            return Ok(reply.map(|()| Payload::Message(message)));
        }
        let stream: Streaming<Bytes> = Box::pin(stream.map(|item| item.map_err(|status| error_from_status(&status))));
        Ok(reply.map(|()| Payload::Stream(stream)))
    }
}

impl Upstream for Remote {
    fn call<'a>(
        &'a self,
        call: &'a Call,
        method: &'static MethodContract,
        request: Payload,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        let span = tracing::info_span!("upstream", otel.kind = "client", domain = method.domain, method = method.name);
        Box::pin(
            async move {
                let started = Instant::now();
                let result = self.send(call, method, request).await;
                let code = result.as_ref().err().map_or(Code::Ok, Error::code);
                self.metrics.observe_call(Side::Client, method.domain, method.name, code, started.elapsed());
                result
            }
            .instrument(span),
        )
    }
}

/// Tells the balancer how an attempt ended.
fn ended(picked: &Picked, tried: &mut Tried, result: Result<Reply<Payload>>) -> Result<Reply<Payload>> {
    picked.observe(result.as_ref().map(drop));
    if result.is_err() {
        tried.add(picked);
    }
    result
}

fn spent(method: &MethodContract) -> Error {
    Error::new(MeshReason::DeadlineSpent, format!("no time was left for {}", method.path))
}

/// The earlier of the caller's deadline and the contract's.
fn budget(call: &Call, method: &MethodContract) -> Option<Deadline> {
    let own = method.deadline.map(Deadline::after);
    match (call.deadline(), own) {
        (Some(a), Some(b)) => Some(a.earlier(b)),
        (a, b) => a.or(b),
    }
}

type Outgoing = std::pin::Pin<Box<dyn Stream<Item = Bytes> + Send>>;

fn into_request(headers: HeaderMap, payload: Payload) -> Request<Outgoing> {
    let (none, metadata) = (tonic::Extensions::new(), MetadataMap::from_headers(headers));
    match payload {
        Payload::Message(message) => {
            Request::from_parts(metadata, none, Box::pin(futures_util::stream::iter([message])) as Outgoing)
        }
        Payload::Stream(stream) => {
            let mut request = Request::from_parts(metadata, none, ());
            let cancel = request.cancellation_handle();
            // An error among the requests resets the stream: to just end it would look complete.
            let until_error = stream.scan(Some(cancel), |cancel, item| {
                let item = item.map_err(|error| {
                    tracing::debug!(%error, "the request stream failed; the call is reset");
                    cancel.take().map(tonic::CancellationHandle::cancel)
                });
                std::future::ready(item.ok())
            });
            request.map(|()| Box::pin(until_error) as Outgoing)
        }
    }
}

/// Headers of the answer, without those of gRPC itself.
fn reply(mut headers: HeaderMap) -> Reply<()> {
    let status = headers.remove(&metadata::HTTP_STATUS).and_then(|status| status.to_str().ok()?.parse().ok());
    for name in ["content-type", "date", "grpc-status", "grpc-message", "grpc-encoding", "grpc-accept-encoding"] {
        headers.remove(name);
    }
    Reply { message: (), status, headers, trailers: HeaderMap::new() }
}

async fn only_message(mut stream: tonic::Streaming<Bytes>) -> Result<(Bytes, HeaderMap)> {
    let failed = |status: tonic::Status| error_from_status(&status);
    let missing = || Error::new(MeshReason::MalformedMessage, "the domain answered without a message");
    let message = stream.message().await.map_err(failed)?.ok_or_else(missing)?;
    if stream.message().await.map_err(failed)?.is_some() {
        return Err(Error::new(MeshReason::MalformedMessage, "the domain answered with more than one message"));
    }
    let mut trailers = stream.trailers().await.map_err(failed)?.unwrap_or_default().into_headers();
    trailers.remove("grpc-status");
    trailers.remove("grpc-message");
    Ok((message, trailers))
}
