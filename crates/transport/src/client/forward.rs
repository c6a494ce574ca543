//! Calls that pass unread: for the edge, which has written the call's metadata.
//!
//! They go to an endpoint as any call does, but are never sent again: what has passed is gone.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body::{Body, Frame};
use tokio::time::{Instant, timeout};
use tracing::Instrument;
use weft_call::{Code, Error, MethodContract, TraceContext};
use weft_telemetry::{Side, client_span, record_endpoint, within};

use super::{ForwardBody, Upstreams, body, layer::Attempt, measure::Measure, unknown};
use crate::{
    metadata,
    status::{error_from_h2, late},
};

impl Upstreams {
    /// Forwards a call of a method: measured, and with a span of its own in the trace. Dropping the
    /// answer cancels the call.
    pub async fn forward<B>(
        &self,
        method: &'static MethodContract,
        trace: &TraceContext,
        mut request: http::Request<B>,
    ) -> Result<http::Response<ForwardBody>, Error>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let span = client_span(method, trace);
        metadata::set_trace(&within(&span, trace), request.headers_mut());
        let metrics = self.0.metrics.method(Side::Client, method.domain, method.name);
        let mut watch = Watch(Some(Measure { metrics, began: Instant::now(), span: span.clone() }));
        let response = self.send(method.domain, request).instrument(span).await.inspect_err(|error| watch.end(error.code()))?;
        if let Some(code) = code(response.headers()) {
            watch.end(code);
        }
        Ok(response.map(|messages| if watch.0.is_some() { ForwardBody::new(Watched { messages, watch }) } else { messages }))
    }

    /// Sends a gRPC request to a domain as it is, its body unread.
    pub async fn send<B>(&self, domain: &str, request: http::Request<B>) -> Result<http::Response<ForwardBody>, Error>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // A client that gives up at once, over and over, is not passed on: whoever dropped this call meanwhile never sent it,
        // and the server behind does not end the connection for a burst of resets.
        tokio::task::yield_now().await;
        let balancer = self.domain(domain).map_err(Error::internal)?.balancer;
        // What passes unread may not be sent again, so it probes nobody.
        let picked = balancer.pick(Attempt::default()).ok_or_else(|| unknown(domain))?;
        let endpoint = picked.member.endpoint();
        record_endpoint(&tracing::Span::current(), &endpoint.host, endpoint.port);
        let _under_way = picked.under_way();
        let _place = picked.enter(None).await?;
        let began = Instant::now();
        let limit = metadata::timeout(request.headers());
        let (mut head, body) = request.into_parts();
        let answering = async {
            let connection = picked.connection(began).await?;
            let path = head.uri.into_parts().path_and_query;
            head.uri = connection.uri(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
            body::exchange(connection, http::Request::from_parts(head, body)).await.map_err(error_from_h2)
        };
        let result = match limit {
            Some(limit) => timeout(limit, answering).await.unwrap_or_else(|_| Err(late())),
            None => answering.await,
        };
        picked.observe(result.as_ref().map(drop), Some(began.elapsed()), None);
        Ok(result?.map(ForwardBody::new))
    }
}

/// Tells once how the call ended; one that is dropped before was cancelled.
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

/// An answer, watched to its end.
struct Watched {
    messages: ForwardBody,
    watch: Watch,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.messages).poll_frame(context));
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
        self.messages.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.messages.size_hint()
    }
}

/// How a call ended, if these headers or trailers say so.
fn code(headers: &http::HeaderMap) -> Option<Code> {
    let number = headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    Some(number.map_or(Code::Unknown, Code::from_number))
}
