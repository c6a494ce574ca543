//! A request of many messages: JSON values in an array or one behind the other, or pieces of an `HttpBody`.
//!
//! Each message goes on as soon as it is whole, and the next is read when the domain has taken it. A body that cannot
//! be used resets the call, so that what was sent of it does not look like all of it; the client is told what was wrong
//! with it, and not that the call was reset.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::request::Parts;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use weft_call::{Error, MeshReason};
use weft_transcode::RequestOptions;

use super::{builder, media_type, refusal};
use crate::{
    aside,
    body::{Body, Lingering},
    catalogue::Catalogue,
    encoding::Encoding,
    error::Failure,
    fault::{Fault, Unusable},
    grpc::framing,
};

/// A request on its way.
pub(super) struct Upload {
    catalogue: Arc<Catalogue>,
    options: RequestOptions,
    parts: Parts,
    body: Lingering,
    frames: mpsc::Sender<Result<Frame<Bytes>, Unusable>>,
}

impl Upload {
    /// The framed messages as they come.
    pub(super) fn start(catalogue: Arc<Catalogue>, options: RequestOptions, parts: &Parts, body: Lingering) -> (Body, Fault) {
        let (sender, frames) = mpsc::channel(1);
        let fault = Fault::default();
        let upload = Self { catalogue, options, parts: parts.clone(), body, frames: sender.clone() };
        let told = fault.clone();
        tokio::spawn(async move {
            let closed = sender.clone();
            let failed = tokio::select! {
                result = upload.send_on() => result.err(),
                // The call is over: whatever the client still sends is of no use.
                () = closed.closed() => None,
            };
            if let Some(failure) = failed {
                told.set(failure);
                let _ = sender.send(Err(Unusable)).await;
            }
        });
        let frames = ReceiverStream::new(frames).map(|frame| frame.map_err(Into::into));
        (StreamBody::new(frames).boxed_unsync(), fault)
    }

    async fn send_on(self) -> Result<(), Failure> {
        let Self { catalogue, options, parts, mut body, frames } = self;
        let route = catalogue.route(&parts.method, parts.uri.path())?;
        let mut request = builder(&catalogue, &route, &parts, &options)?;
        if Encoding::of_request(&parts.headers)?.is_some() {
            return Err(Failure::unsupported_encoding());
        }
        if request.takes_raw_body() {
            request.content_type(media_type::of(&parts.headers)?.unwrap_or_default());
        } else {
            media_type::require_json_stream(&parts.headers)?;
        }
        let mut ready = Vec::new();
        while let Some(frame) = body.frame().await {
            let cut = |error| Error::new(MeshReason::CallCancelled, "the body ended too early").with_source(error);
            let Ok(piece) = frame.map_err(cut)?.into_data() else { continue };
            let bytes = request.begun() + piece.len();
            let pushed = aside::run(bytes, || request.push(&piece, |message| ready.push(message))).await;
            pushed.map_err(|error| refusal::of(&error))?;
            send(&frames, &mut ready).await?;
        }
        request.finish(|message| ready.push(message)).map_err(|error| refusal::of(&error))?;
        send(&frames, &mut ready).await
    }
}

async fn send(frames: &mpsc::Sender<Result<Frame<Bytes>, Unusable>>, ready: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    for message in ready.drain(..) {
        let frame = framing::frame(0, &message).ok_or_else(|| Error::internal("a message of more than 4 GiB"))?;
        // A call that is over takes no more; how it ended is its own to say.
        let _ = frames.send(Ok(Frame::data(frame))).await;
    }
    Ok(())
}
