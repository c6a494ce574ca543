//! REST: a request becomes the messages that the method takes, its answer becomes JSON.
//!
//! A unary method answers with one JSON value. One that streams answers with a JSON array, JSON lines or server-sent
//! events, and one that takes a stream takes an array or lines: see [`form`] and [`upload`].

mod accept;
pub(crate) mod conditional;
mod form;
mod media_type;
pub(crate) mod refusal;
mod reply;
mod rules;
mod stream;
mod upload;

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Full};
use weft_call::{Error, MethodKind};
use weft_transcode::{RequestBuilder, RequestOptions};

pub(crate) use rules::Rules;

use crate::{
    aside,
    body::{self, Body, Lingering},
    catalogue::{Catalogue, Route},
    encoding::Encoding,
    error::Failure,
    exchange::{self, Exchange},
    fault::Fault,
    front::Front,
    grpc::{answer::Answer, framing},
    record::Observation,
};
use stream::JsonMessages;
use upload::Upload;

/// What a request is answered with.
enum Answered {
    /// A message, or nothing.
    Whole(Response<Body>),
    /// Messages that are still to come.
    Stream(Box<Response<JsonMessages>>),
}

/// Answers a REST request.
pub(crate) async fn answer(
    front: &Front,
    catalogue: Arc<Catalogue>,
    mut observation: Observation,
    request: Request<Lingering>,
) -> Response<Body> {
    match respond(front, &catalogue, &mut observation, request).await {
        Ok(Answered::Whole(response)) => {
            observation.finish(weft_call::Code::Ok, None);
            response
        }
        Ok(Answered::Stream(response)) => (*response).map(|messages| body::passed_on(messages.observed(observation))),
        Err(failure) => {
            observation.fail(&failure.error);
            failure.response(&observation.arrival.request_id)
        }
    }
}

async fn respond(
    front: &Front,
    catalogue: &Arc<Catalogue>,
    observation: &mut Observation,
    request: Request<Lingering>,
) -> Result<Answered, Failure> {
    let (parts, body) = request.into_parts();
    let route = catalogue.route(&parts.method, parts.uri.path())?;
    let method = route.served.contract;
    observation.is_for(method, parts.method.as_str(), &route.matched.binding.rule().path);
    let deadline = observation.arrival.deadline(method, &parts.headers)?;
    let work = pin!(async {
        let exchange = Exchange::admit(front, observation, method, &parts.headers, deadline).await?;
        if method.kind == MethodKind::Unary {
            let message = only_message(front, catalogue, &route, &parts, body).await?;
            let reply = exchange.ask(message).await?;
            let head = reply::Head { status: reply.status, headers: reply.headers, trailers: reply.trailers };
            let json = || reply::json(&catalogue.schema, &route, &parts, &reply.message, head);
            return Ok(Answered::Whole(aside::run(reply.message.len(), json).await?));
        }
        let (frames, fault) = requests(front, catalogue, &route, &parts, body).await?;
        let begun = async {
            let answer = Answer::read(exchange.send(frames).await?, front.settings.max_message, deadline)?;
            begin(catalogue, &route, &parts, answer).await
        };
        let answered = begun.await.map_err(|failure: Failure| fault.or(failure))?;
        Ok(match answered {
            Answered::Stream(response) => Answered::Stream(Box::new(response.map(|messages| messages.with_fault(fault)))),
            whole @ Answered::Whole(_) => whole,
        })
    });
    exchange::within(deadline, method, work).await
}

/// The message of a method that takes one.
async fn only_message<B>(
    front: &Front,
    catalogue: &Catalogue,
    route: &Route<'_>,
    parts: &Parts,
    body: B,
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut wire = Vec::new();
    append_message(front, catalogue, route, parts, body, &mut wire).await?;
    Ok(wire.into())
}

async fn append_message<B>(
    front: &Front,
    catalogue: &Catalogue,
    route: &Route<'_>,
    parts: &Parts,
    body: B,
    wire: &mut Vec<u8>,
) -> Result<(), Failure>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let encoding = Encoding::of_request(&parts.headers)?;
    let mut body = body::read(body, front.settings.max_body).await?;
    if let Some(encoding) = encoding {
        body = encoding.unpack(&body, front.settings.max_body).await?;
    }
    let mut request = builder(catalogue, route, parts, &front.request_options)?;
    if request.takes_raw_body() {
        request.content_type(media_type::of(&parts.headers)?.unwrap_or_default());
    } else if !body.is_empty() {
        media_type::require_json(&parts.headers)?;
    }
    aside::run(body.len(), || request.message(&body, wire)).await.map_err(|error| refusal::of(&error).into())
}

fn builder<'s>(
    catalogue: &'s Catalogue,
    route: &Route<'_>,
    parts: &Parts,
    options: &'s RequestOptions,
) -> Result<RequestBuilder<'s>, Failure> {
    RequestBuilder::new(&catalogue.schema, &route.matched, parts.uri.query(), options).map_err(|error| refusal::of(&error).into())
}

/// The framed messages of a method that streams, and what goes wrong with them on the way.
async fn requests(
    front: &Front,
    catalogue: &Arc<Catalogue>,
    route: &Route<'_>,
    parts: &Parts,
    body: Lingering,
) -> Result<(Body, Fault), Failure> {
    if matches!(route.served.contract.kind, MethodKind::ClientStreaming | MethodKind::Bidirectional) {
        return Ok(Upload::start(Arc::clone(catalogue), front.request_options.clone(), parts, body));
    }
    let mut frame = framing::begin(64);
    append_message(front, catalogue, route, parts, body, &mut frame).await?;
    let frame = framing::seal(frame).ok_or_else(|| Error::internal("a message of more than 4 GiB"))?;
    Ok((Full::new(frame).map_err(|never| match never {}).boxed_unsync(), Fault::default()))
}

/// Begins to answer with what the domain answers.
async fn begin(catalogue: &Arc<Catalogue>, route: &Route<'_>, parts: &Parts, answer: Answer) -> Result<Answered, Failure> {
    if route.served.contract.kind != MethodKind::ClientStreaming {
        return stream::response(catalogue, route, parts, answer).await;
    }
    let (headers, message, trailers) = answer.only_message().await?;
    let head = reply::Head { status: None, headers, trailers };
    let json = || reply::json(&catalogue.schema, route, parts, &message, head.with_status());
    Ok(Answered::Whole(aside::run(message.len(), json).await?))
}
