//! One call to a domain: on whose account it is made, and what travels with it.
//!
//! Every protocol ends here. Of what a client sent nothing travels inside but the request id, the trace, the
//! idempotency key, the etag and the time left; the access token is exchanged for the assertion that stands for it. To a
//! server that is no domain of the mesh goes what the client sent, less what belongs to the connection or the protocol.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use weft_call::{Call, Deadline, Error, MeshReason, MethodContract, Payload, Reply, Result};
use weft_transport::{ForwardBody, Upstreams, metadata};

use crate::{
    authenticate::Authority,
    front::Front,
    grpc::{answer::Answer, framing},
    record::Observation,
};

/// A call that may be made.
pub(crate) struct Exchange {
    upstreams: Upstreams,
    method: &'static MethodContract,
    call: Call,
    headers: HeaderMap,
    /// Of an edge that stands alone.
    is_foreign: bool,
    /// Largest message of an answer, in bytes.
    limit: usize,
}

/// A call that failed, and what came beside its status.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Only servers that are no domains send something.
    pub(crate) beside: Option<Box<Beside>>,
}

/// The metadata of an answer that failed.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, beside: None }
    }
}

/// On whose account the method is called; nobody's where that is for the server behind to find out.
async fn authority(front: &Front, method: &MethodContract, sent: &HeaderMap, client: IpAddr) -> Result<Option<Authority>> {
    match &front.authenticator {
        // Boxed, since all that it may have to do for a new token would make every call's future large.
        Some(authenticator) => Box::pin(authenticator.authority(method, sent, client)).await,
        None => Ok(None),
    }
}

impl Exchange {
    /// Finds out on whose account the call is made, and whether it may be.
    pub(crate) async fn admit(
        front: &Front,
        observation: &mut Observation,
        method: &'static MethodContract,
        sent: &HeaderMap,
        deadline: Option<Deadline>,
    ) -> Result<Self> {
        let call = call(front, observation, method, sent, deadline).await?;
        let is_foreign = front.stands_alone();
        let mut headers = if is_foreign { for_server(sent) } else { HeaderMap::with_capacity(12) };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        metadata::inject(&call, call.trace(), deadline.map(Deadline::remaining), &mut headers);
        let limit = front.settings.max_message;
        Ok(Self { upstreams: front.upstreams.clone(), method, call, headers, is_foreign, limit })
    }

    /// Sends a header of the client's along.
    pub(crate) fn pass(&mut self, name: &HeaderName, sent: &HeaderMap) {
        if let Some(value) = sent.get(name) {
            self.headers.insert(name.clone(), value.clone());
        }
    }

    /// Makes the call with one message and waits for the one that answers it; it may be sent again where that does no
    /// harm.
    pub(crate) async fn ask(self, message: Bytes) -> Result<Reply<Bytes>, Failed> {
        if self.is_foreign {
            return self.ask_server(message).await;
        }
        let upstream = self.upstreams.upstream(self.method.domain).map_err(Error::internal)?;
        let Reply { message, status, headers, trailers } =
            upstream.call(&self.call, self.method, Payload::Message(message)).await?;
        match message {
            Payload::Message(message) => Ok(Reply { message, status, headers, trailers }),
            Payload::Stream(_) => Err(Error::internal("a unary method answered with a stream").into()),
        }
    }

    /// The same, with what the client sent as the call's metadata, and what the server answers beside a failure.
    async fn ask_server(self, message: Bytes) -> Result<Reply<Bytes>, Failed> {
        let (limit, deadline) = (self.limit, self.call.deadline());
        let frame = framing::frame(0, &message).ok_or_else(|| Error::internal("a message of more than 4 GiB"))?;
        let Self { upstreams, method, call, headers, .. } = self;
        let mut answer = Answer::read(upstreams.forward_message(method, &call, headers, frame).await?, limit, deadline)?;
        let message = answer.messages.only().await;
        let (mut headers, trailers) = (answer.headers, answer.messages.take_trailers());
        match message {
            Ok(message) => {
                let status = headers.remove(&metadata::HTTP_STATUS).and_then(|status| status.to_str().ok()?.parse().ok());
                Ok(Reply { message, status, headers, trailers })
            }
            Err(error) => Err(Failed { error, beside: Some(Box::new(Beside { headers, trailers })) }),
        }
    }

    /// Makes the call with framed messages that come one after the other.
    pub(crate) async fn send<B>(self, frames: B) -> Result<Response<ForwardBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let uri = Uri::from_static(self.method.path);
        self.send_to(uri, frames).await
    }

    /// The same, where the address is read already: only its path counts, and that is the method's.
    pub(crate) async fn send_to<B>(self, uri: Uri, frames: B) -> Result<Response<ForwardBody>>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Self { upstreams, method, call, headers, .. } = self;
        let mut request = Request::new(frames);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        upstreams.forward(method, call.trace(), request).await
    }
}

/// The call that a request makes, if it may be made.
pub(crate) async fn call(
    front: &Front,
    observation: &mut Observation,
    method: &'static MethodContract,
    sent: &HeaderMap,
    deadline: Option<Deadline>,
) -> Result<Call> {
    let arrival = &observation.arrival;
    front.limits.count_address(method, arrival.client, &arrival.standings).await?;
    let authority = authority(front, method, sent, arrival.client).await?;
    if let Some(authority) = &authority {
        observation.principal = Some(authority.principal.to_string());
        front.limits.count_principal(method, &authority.principal, &arrival.standings).await?;
    }
    observation.arrival.call(method, sent, deadline, authority, &front.clock)
}

/// Runs work within the deadline of its call. It is best pinned: a future that is handed on is copied, and kept twice.
pub(crate) async fn within<T, E: From<Error>>(
    deadline: Option<Deadline>,
    method: &MethodContract,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match deadline {
        None => work.await,
        Some(deadline) => match tokio::time::timeout_at(deadline.instant(), work).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(MeshReason::DeadlineSpent, format!("{} took longer than it may", method.path)).into()),
        },
    }
}

/// What a client sent, without what belongs to its connection, to its protocol or to the form of its body.
fn for_server(sent: &HeaderMap) -> HeaderMap {
    const FORM: [&str; 18] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "if-none-match",
        "keep-alive",
        "prefer",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    const PROTOCOLS: [&str; 4] = ["grpc-", "connect-", "weft-", "sec-websocket-"];
    let mut headers = HeaderMap::with_capacity(sent.len() + 6);
    for (name, value) in sent {
        let text = name.as_str();
        if !FORM.contains(&text) && !PROTOCOLS.iter().any(|protocol| text.starts_with(protocol)) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Removes from headers for the client those that belong to the connection, to gRPC or to the mesh.
pub(crate) fn for_client(mut headers: HeaderMap) -> HeaderMap {
    const INNER: [&str; 8] =
        ["connection", "content-length", "content-type", "date", "te", "trailer", "transfer-encoding", "upgrade"];
    let is_inner = |name: &&HeaderName| {
        let name = name.as_str();
        INNER.contains(&name) || name.starts_with("grpc-") || name.starts_with("weft-")
    };
    let inner: Vec<_> = headers.keys().filter(is_inner).cloned().collect();
    for name in &inner {
        headers.remove(name);
    }
    headers
}
