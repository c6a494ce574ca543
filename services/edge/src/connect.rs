//! Connect (the Connect protocol of connectrpc.com): calls that are plain HTTP, for every method, over any version of HTTP.
//!
//! | method | request | answer |
//! |---|---|---|
//! | unary | POST of the message, as `application/proto` or `application/json` | the message; a failure is an HTTP status and JSON |
//! | unary that only reads | GET with the message in the query, too | the same, and a cache may keep it |
//! | streams | POST of framed messages, as `application/connect+proto` or `application/connect+json` | framed messages, the last frame a JSON object with the outcome |
//!
//! Messages in JSON become protobuf and back; those in protobuf pass unread. Bodies and framed messages may be packed, with
//! limits on what comes out of them. What is no form of Connect at all is refused by HTTP's own statuses.

mod answers;
mod asked;
mod codec;
mod error;
mod get;
mod requests;

use std::{pin::pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header, request::Parts};
use weft_call::{Code, Deadline, Error, MeshReason, MethodContract, Reply, Result};

use crate::{
    aside,
    body::{self, Body, Lingering},
    catalogue::{Catalogue, Served},
    encoding,
    error::Failure,
    exchange::{self, Exchange, Failed, for_client},
    fault::Fault,
    front::Front,
    grpc::answer::Answer,
    record::Observation,
};
use answers::Answers;
pub(crate) use asked::methods;
use asked::{Asked, Form};
use codec::{Codec, Translator};
use requests::Requests;

/// Answers a request for the path of a method.
pub(crate) async fn answer(
    front: &Front,
    catalogue: Arc<Catalogue>,
    mut observation: Observation,
    request: Request<Lingering>,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let unknown = || Failure::from(Error::internal("no method of this path"));
    let served = catalogue.method(parts.uri.path()).ok_or_else(unknown);
    let (served, form) = match served.and_then(|served| Ok((served, Form::of(&parts, served.contract)?))) {
        Ok(found) => found,
        Err(failure) => {
            observation.fail(&failure.error);
            return failure.plain_response();
        }
    };
    observation.method = Some(served.contract);
    let Form::Stream(codec) = form else {
        let answered = unary(front, &catalogue, served, &mut observation, form, (&mut parts, body)).await;
        let response = match answered {
            Ok(response) => {
                observation.finish(Code::Ok, None);
                response
            }
            Err(failed) => {
                observation.fail(&failed.error);
                error::response(failed, error::told_id(front, &observation))
            }
        };
        return encoding::packed(response, parts.headers.get(header::ACCEPT_ENCODING)).await;
    };
    let fault = Fault::default();
    let kind = HeaderValue::from_static(codec.stream_type());
    match stream(front, &catalogue, served.contract, &mut observation, codec, (&mut parts, body), &fault).await {
        Ok(response) => response.map(|answers| body::passed_on(answers.watched(fault, observation))),
        Err(failure) => {
            observation.fail(&failure.error);
            let end = error::end_of_stream(Some(&failure.error), error::told_id(front, &observation), None);
            let mut response = Response::new(body::full(end));
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
    }
}

/// Whether the request can be nothing but Connect.
pub(crate) fn is_meant<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    [&b"application/proto"[..], b"application/connect+"].iter().any(|meant| kind.starts_with(meant))
}

/// The answer to such a request for a path that is no method's.
pub(crate) fn unknown(mut observation: Observation) -> Response<Body> {
    let failure = Failure::from(Error::new(MeshReason::RouteUnknown, "no such method is served here"));
    observation.fail(&failure.error);
    failure.plain_response()
}

/// A call of one message each way.
async fn unary(
    front: &Front,
    catalogue: &Arc<Catalogue>,
    served: &Served,
    observation: &mut Observation,
    form: Form,
    (parts, body): (&mut Parts, Lingering),
) -> Result<Response<Body>, Failed> {
    let method = served.contract;
    let deadline = begin(observation, method, parts)?;
    let work = pin!(async {
        let exchange = Exchange::admit(front, observation, method, &parts.headers, deadline).await?;
        let limit = front.settings.max_body;
        let asked = match form {
            Form::Unary(codec) => asked::posted(codec, &parts.headers, body, limit).await?,
            Form::Get | Form::Stream(_) => get::asked(parts.uri.query().unwrap_or_default(), limit).await?,
        };
        let Asked { codec, message } = asked;
        let translator = Translator::new(catalogue, method, codec)?;
        let wire = translator.to_wire(message, &front.request_options.json).await?;
        let mut response = whole(codec, &translator, exchange.ask(wire).await?).await?;
        let rule = &served.rules.cache_control;
        if matches!(form, Form::Get)
            && !rule.is_empty()
            && let Ok(value) = HeaderValue::from_str(rule)
        {
            response.headers_mut().entry(header::CACHE_CONTROL).or_insert(value);
        }
        Ok(response)
    });
    exchange::within(deadline, method, work).await
}

/// The answer of one message.
async fn whole(codec: Codec, translator: &Translator, reply: Reply<Bytes>) -> Result<Response<Body>> {
    let Reply { message, status: _, headers, trailers } = reply;
    let answer = aside::run(message.len(), || translator.answer(message));
    let mut response = Response::new(body::full(answer.await?));
    let headers = for_client(headers);
    *response.headers_mut() = headers;
    error::add_trailers(response.headers_mut(), trailers);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.unary_type()));
    Ok(response)
}

/// A call of a method that streams, up to the head of its answer.
async fn stream(
    front: &Front,
    catalogue: &Arc<Catalogue>,
    method: &'static MethodContract,
    observation: &mut Observation,
    codec: Codec,
    (parts, body): (&mut Parts, Lingering),
    fault: &Fault,
) -> Result<Response<Answers>, Failure> {
    let deadline = begin(observation, method, parts)?;
    let packed = asked::packing(&parts.headers, &asked::STREAM_ENCODING)?;
    let accepted = parts.headers.get(&asked::STREAM_ACCEPTED).cloned();
    let work = pin!(async {
        let exchange = Exchange::admit(front, observation, method, &parts.headers, deadline).await?;
        let translator = Arc::new(Translator::new(catalogue, method, codec)?);
        let requests = Requests::new(front, Arc::clone(&translator), packed, fault.clone(), body);
        let begun = async { Answer::read(exchange.send(requests.into_body()).await?, front.settings.max_message, deadline) };
        let Answer { headers, messages } = begun.await.map_err(|error| fault.or(error.into()))?;
        let packing = accepted.and_then(|accepted| encoding::Encoding::for_answer(accepted.to_str().ok()?));
        let mut response = Response::new(Answers::new(translator, messages, packing, !front.stands_alone()));
        *response.headers_mut() = for_client(headers);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(codec.stream_type()));
        if let Some(packing) = packing {
            let name: HeaderName = asked::STREAM_ENCODING.clone();
            response.headers_mut().insert(name, HeaderValue::from_static(packing.name()));
        }
        Ok(response)
    });
    exchange::within(deadline, method, work).await
}

/// Reads what a request says of the protocol itself, and when its call must have ended.
fn begin(observation: &Observation, method: &MethodContract, parts: &mut Parts) -> Result<Option<Deadline>> {
    asked::check_version(&parts.headers)?;
    asked::adopt_timeout(&mut parts.headers)?;
    observation.arrival.deadline(method, &parts.headers)
}
