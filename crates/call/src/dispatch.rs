//! What generated servers and clients do around a handler: the same few steps for every method.

use std::future::Future;

use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message;

use crate::{
    Answer, Call, Digest, Error, Idempotency, MeshReason, MethodContract, Payload, Replays, Reply, Result, Streaming, Upstream,
    Validate, validation,
};

fn malformed(error: prost::DecodeError) -> Error {
    Error::new(MeshReason::MalformedMessage, "the message cannot be decoded as the type that the contract names")
        .with_source(error)
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M> {
    M::decode(bytes).map_err(malformed)
}

fn one(payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Message(bytes) => Ok(bytes),
        Payload::Stream(_) => Err(Error::new(MeshReason::MalformedMessage, "one message is expected, not a stream")),
    }
}

fn many<M: Message + Default + 'static>(payload: Payload) -> Streaming<M> {
    match payload {
        Payload::Stream(stream) => Box::pin(stream.map(|item| item.and_then(decode))),
        Payload::Message(bytes) => Box::pin(futures_util::stream::iter([decode(bytes)])),
    }
}

fn encode<M: Message>(message: &M) -> Payload {
    Payload::Message(message.encode_to_vec().into())
}

fn encode_stream<M: Message + 'static>(stream: Streaming<M>) -> Payload {
    Payload::Stream(Box::pin(stream.map(|item| item.map(|message| Bytes::from(message.encode_to_vec())))))
}

/// Serves a unary method: decode, validate, answer a repeat, run.
pub async fn serve_unary<I, O, F>(
    method: &'static MethodContract,
    call: Call,
    request: Payload,
    replays: &dyn Replays,
    handler: impl FnOnce(Call, I) -> F,
) -> Result<Reply<Payload>>
where
    I: Message + Default + Validate,
    O: Message + Default,
    F: Future<Output = Result<Reply<O>>>,
{
    let request: I = decode(one(request)?)?;
    validation::check(&request)?;
    if method.idempotency != Idempotency::Keyed || call.idempotency_key().is_none() {
        return Ok(handler(call, request).await?.map(|message| encode(&message)));
    }
    // Of the decoded message: two encodings of one request are the same request.
    let call = call.with_digest(Digest::of(&request.encode_to_vec()));
    if let Some(stored) = replays.find(&call).await? {
        let reply = Reply::<O>::from_bytes(&stored).map_err(Error::internal)?;
        return Ok(reply.map(|message| encode(&message)));
    }
    Ok(handler(call, request).await?.map(|message| encode(&message)))
}

/// Serves a method that answers with a stream.
pub async fn serve_server_streaming<I, O, F>(
    call: Call,
    request: Payload,
    handler: impl FnOnce(Call, I) -> F,
) -> Result<Reply<Payload>>
where
    I: Message + Default + Validate,
    O: Message + 'static,
    F: Future<Output = Result<Reply<Streaming<O>>>>,
{
    let request: I = decode(one(request)?)?;
    validation::check(&request)?;
    Ok(handler(call, request).await?.map(encode_stream))
}

/// Each message of a stream is validated as it comes; the first that breaks a rule ends the stream.
fn validated<I: Message + Default + Validate + 'static>(request: Payload) -> Streaming<I> {
    let check = |item: Result<I>| item.and_then(|message| validation::check(&message).map(|()| message));
    Box::pin(many(request).map(check))
}

/// Serves a method that reads a stream and answers once.
pub async fn serve_client_streaming<I, O, F>(
    call: Call,
    request: Payload,
    handler: impl FnOnce(Call, Streaming<I>) -> F,
) -> Result<Reply<Payload>>
where
    I: Message + Default + Validate + 'static,
    O: Message,
    F: Future<Output = Result<Reply<O>>>,
{
    Ok(handler(call, validated(request)).await?.map(|message| encode(&message)))
}

/// Serves a method that streams both ways.
pub async fn serve_bidirectional<I, O, F>(
    call: Call,
    request: Payload,
    handler: impl FnOnce(Call, Streaming<I>) -> F,
) -> Result<Reply<Payload>>
where
    I: Message + Default + Validate + 'static,
    O: Message + 'static,
    F: Future<Output = Result<Reply<Streaming<O>>>>,
{
    Ok(handler(call, validated(request)).await?.map(encode_stream))
}

fn read_one<O: Message + Default>(reply: Reply<Payload>) -> Result<Reply<O>> {
    let Reply { message, status, headers, trailers } = reply;
    Ok(Reply { message: decode(one(message)?)?, status, headers, trailers })
}

/// Calls a unary method.
pub async fn call_unary<I: Message, O: Message + Default>(
    upstream: &dyn Upstream,
    call: &Call,
    method: &'static MethodContract,
    request: I,
) -> Result<Reply<O>> {
    read_one(upstream.call(call, method, encode(&request)).await?)
}

/// Calls a method that answers with a stream.
pub async fn call_server_streaming<I: Message, O: Message + Default + 'static>(
    upstream: &dyn Upstream,
    call: &Call,
    method: &'static MethodContract,
    request: I,
) -> Result<Reply<Streaming<O>>> {
    Ok(upstream.call(call, method, encode(&request)).await?.map(many))
}

/// Calls a method that reads a stream and answers once.
pub async fn call_client_streaming<I: Message + 'static, O: Message + Default>(
    upstream: &dyn Upstream,
    call: &Call,
    method: &'static MethodContract,
    request: Streaming<I>,
) -> Result<Reply<O>> {
    read_one(upstream.call(call, method, encode_stream(request)).await?)
}

/// Calls a method that streams both ways.
pub async fn call_bidirectional<I: Message + 'static, O: Message + Default + 'static>(
    upstream: &dyn Upstream,
    call: &Call,
    method: &'static MethodContract,
    request: Streaming<I>,
) -> Result<Reply<Streaming<O>>> {
    Ok(upstream.call(call, method, encode_stream(request)).await?.map(many))
}
