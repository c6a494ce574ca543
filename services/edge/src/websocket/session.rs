//! One WebSocket, from its first frame to its close.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream::SplitSink, stream::SplitStream};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;
use weft_call::{BoxFuture, Code, Deadline, Error, MeshReason, Result};

use super::target::Target;
use crate::{
    aside,
    error::{Failure, status_json},
    exchange::Exchange,
    grpc::{answer::Answer, framing},
    record::Observation,
    settings::Settings,
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Frames = mpsc::Sender<Result<Frame<Bytes>, GoneAway>>;

/// The client ended the call, or sent what cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the WebSocket's requests ended early")]
struct GoneAway;

/// How the frames of a client end.
enum Ended {
    /// It closed the socket, or the connection broke.
    Gone,
    /// It sent what cannot be used.
    Wrong(Failure),
}

/// The WebSocket that a connection becomes; it is served in the connection's place.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    stop: CancellationToken,
    session: Arc<Mutex<Option<BoxFuture<'static, ()>>>>,
}

/// A WebSocket that may begin.
pub(super) struct Session {
    exchange: Exchange,
    target: Target,
    limit: usize,
    max_message: usize,
    deadline: Option<Deadline>,
    observation: Option<Observation>,
}

impl Sessions {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { stop, session: Arc::default() }
    }

    pub(super) fn set(&self, session: impl FnOnce(CancellationToken) -> BoxFuture<'static, ()>) {
        let session = session(self.stop.clone());
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Serves the WebSocket that the connection has become, if it has.
    pub(crate) async fn serve(&self) {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = session {
            session.await;
        }
    }
}

impl Session {
    pub(super) fn new(exchange: Exchange, target: Target, settings: &Settings, deadline: Option<Deadline>) -> Self {
        let (limit, max_message) = (settings.max_body, settings.max_message);
        Self { exchange, target, limit, max_message, deadline, observation: None }
    }

    pub(super) fn observe(&mut self, observation: Observation) {
        self.observation = Some(observation);
    }

    pub(super) fn run(self, upgrade: OnUpgrade, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match upgrade.await {
                Ok(upgraded) => self.converse(upgraded, stop).await,
                // The observation writes down that the client went away.
                Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
            }
        })
    }

    async fn converse(self, upgraded: Upgraded, stop: CancellationToken) {
        let Self { exchange, target, limit, max_message, deadline, mut observation } = self;
        let config = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let (mut sink, mut source) = socket.split();
        let (frames, body) = mpsc::channel(1);
        let answered = async {
            let answer = exchange.send(StreamBody::new(ReceiverStream::new(body))).await?;
            send_answers(&mut sink, &target, Answer::read(answer, max_message, deadline)?).await
        };
        let failed = tokio::select! {
            answered = answered => answered.err(),
            ended = take_requests(&mut source, &target, frames) => match ended {
                // What dropped says: the call was cancelled.
                Ended::Gone => return,
                Ended::Wrong(failure) => Some(failure.error),
            },
            () = stop.cancelled() => {
                let _ = sink.send(close(CloseCode::Away, "the server stops")).await;
                Some(Error::new(MeshReason::Draining, "the server stops"))
            }
        };
        if let Some(observation) = &mut observation {
            match &failed {
                None => observation.finish(Code::Ok, None),
                Some(error) => observation.fail(error),
            }
        }
        let request_id = observation.as_ref().map(|observation| &observation.arrival.request_id);
        // A client that is gone hears nothing of it.
        let _ = say_end(&mut sink, failed.as_ref().map(|error| (error, status_json(error, request_id)))).await;
    }
}

/// Sends the answers as they come.
async fn send_answers(sink: &mut SplitSink<Socket, Message>, target: &Target, answer: Answer) -> Result<()> {
    let gone = |error| Error::new(MeshReason::CallCancelled, "the client went away").with_source(error);
    let mut messages = answer.messages;
    while let Some(message) = messages.next().await {
        let message = message?;
        let frame = if target.is_binary {
            Message::Binary(message)
        } else {
            let text = aside::run(message.len(), || target.answer(&message)).await?;
            let text = String::from_utf8(text).map_err(Error::internal)?;
            Message::Text(text.into())
        };
        sink.send(frame).await.map_err(gone)?;
    }
    Ok(())
}

/// Sends the requests on as they come, until the client goes or one is wrong.
async fn take_requests(source: &mut SplitStream<Socket>, target: &Target, frames: Frames) -> Ended {
    let failed = take_until_end(source, target, &frames).await;
    let ended = match failed {
        Ok(true) => {
            // The requests are at their end; what still comes can only be the client going away.
            drop(frames);
            while let Some(Ok(frame)) = source.next().await {
                if !matches!(frame, Message::Ping(_) | Message::Pong(_) | Message::Close(_)) {
                    return Ended::Wrong(unusable("nothing may follow the end of the requests"));
                }
            }
            return Ended::Gone;
        }
        Ok(false) => Ended::Gone,
        Err(failure) => Ended::Wrong(failure),
    };
    // So that what came does not look like all of it.
    let _ = frames.send(Err(GoneAway)).await;
    ended
}

/// True at the end of the requests, false if the client went away before.
async fn take_until_end(source: &mut SplitStream<Socket>, target: &Target, frames: &Frames) -> Result<bool, Failure> {
    let mut reader = target.reader()?;
    if target.needs_no_frame() {
        return pass(reader.read(b"")?, frames).await.map(|()| true);
    }
    loop {
        let messages = match source.next().await {
            Some(Ok(Message::Text(text))) if text.is_empty() => return reader.end().map(|()| true),
            Some(Ok(Message::Text(text))) if !target.is_binary => {
                aside::run(reader.begun() + text.len(), || reader.read(text.as_bytes())).await?
            }
            Some(Ok(Message::Binary(message))) if target.is_binary => vec![message.into()],
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                return Err(unusable("text frames hold JSON; binary frames need the subprotocol protobuf"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Err(tokio_tungstenite::tungstenite::Error::Capacity(_))) => {
                return Err(Error::new(MeshReason::MessageTooLarge, "a frame is larger than the limit").into());
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(false),
        };
        pass(messages, frames).await?;
        if !target.takes_many() {
            return Ok(true);
        }
    }
}

fn unusable(problem: &str) -> Failure {
    Error::new(MeshReason::MalformedMessage, problem).into()
}

async fn pass(messages: Vec<Vec<u8>>, frames: &Frames) -> Result<(), Failure> {
    for message in messages {
        let frame = framing::frame(0, &message).ok_or_else(|| Error::internal("a message of more than 4 GiB"))?;
        // A call that is over takes no more; how it ended is its own to say.
        let _ = frames.send(Ok(Frame::data(frame))).await;
    }
    Ok(())
}

/// Says how the call ended, and closes the socket.
async fn say_end(
    sink: &mut SplitSink<Socket, Message>,
    failed: Option<(&Error, serde_json::Value)>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    match failed {
        None => sink.send(close(CloseCode::Normal, "")).await?,
        Some((error, mut status)) => {
            status["@type"] = "type.googleapis.com/google.rpc.Status".into();
            sink.send(Message::Text(status.to_string().into())).await?;
            let code = 4000 + u16::try_from(error.code().number()).unwrap_or_default();
            sink.send(close(CloseCode::from(code), error.code().name())).await?;
        }
    }
    sink.flush().await
}

fn close(code: CloseCode, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code, reason: reason.into() }))
}
