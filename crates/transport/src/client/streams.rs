//! The idle time and lifetime of streams, instead of a deadline.
//!
//! It stands outside the retries, which pass streams through, and within the deadlines, which streams
//! mostly have none of.

use tokio_util::sync::CancellationToken;
use weft_call::{MethodKind, Payload, Reply, Result};

use super::layer::{Layer, Outgoing};
use crate::{stream::StreamLife, tuning::LiveTuning};

/// Bounds streams.
pub(super) struct Streams<L> {
    pub(super) tuning: LiveTuning,
    pub(super) within: L,
}

impl<L: Layer> Layer for Streams<L> {
    async fn send<'a>(&'a self, mut outgoing: Outgoing<'a>) -> Result<Reply<Payload>> {
        if outgoing.method.kind == MethodKind::Unary {
            return self.within.send(outgoing).await;
        }
        let life = StreamLife::begin(self.tuning.load().streams.clone(), CancellationToken::new());
        if let Payload::Stream(requests) = outgoing.request {
            outgoing.request = Payload::Stream(life.noting(requests));
        }
        let reply = tokio::select! {
            biased;
            reply = self.within.send(outgoing) => reply?,
            error = life.over() => return Err(error),
        };
        Ok(reply.map(|answers| match answers {
            Payload::Stream(answers) => Payload::Stream(life.bounding(answers)),
            message @ Payload::Message(_) => message,
        }))
    }
}
