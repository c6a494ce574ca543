//! Who may call, held up against what is already open.
//!
//! # Problem
//!
//! A call is admitted when it begins. A stream may go on for hours after its caller has been denied, and a connection on
//! which nothing is allowed any more is still a way in.
//!
//! # Rule
//!
//! Whatever is open is judged again whenever the rules change: a stream whose caller may no longer call its method ends
//! with the refusal that a new call would get, and a connection whose peer may call nothing is ended by GOAWAY, and
//! closed when the calls under way have ended or after the drain time. Calls that are no streams are not cut: they end
//! by their deadline. A peer that never was allowed anything may stay for [`UNWELCOME`], so that it learns why.
//!
//! # Recovery
//!
//! A caller that is allowed again calls again; nothing is remembered of it. Where rules are not enforced, nothing is cut,
//! and what would have been refused is counted, and logged
//! once a minute for each caller, method and rule.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use weft_access::{CallerRefusal, CallerVerdict};
use weft_call::{Error, MethodContract, Payload, Reply, Result, Streaming};

use super::{Admission, Server};

/// How long a peer that may call nothing may hold a connection.
const UNWELCOME: Duration = Duration::from_secs(5);

impl Admission {
    /// Whether the peer may call the method, recorded unless it may.
    pub(super) fn judge(&self, method: &'static MethodContract, peer: &str) -> CallerVerdict {
        let verdict = self.rules.verdict(method, peer);
        match verdict {
            CallerVerdict::Allowed => {}
            CallerVerdict::Refused(rule) => self.metrics.count_caller_refused(method.domain, method.name, rule.name(), true),
            CallerVerdict::Unenforced(rule) => self.record_unenforced(method, peer, rule),
        }
        verdict
    }

    fn record_unenforced(&self, method: &'static MethodContract, peer: &str, rule: CallerRefusal) {
        self.metrics.count_caller_refused(method.domain, method.name, rule.name(), false);
        if let Some(unsaid) = self.rules.notice(method, peer, rule, Instant::now()) {
            tracing::warn!(caller = peer, method = method.path, rule = rule.name(), unsaid, "a caller would be refused");
        }
    }

    /// Waits until the rules no longer let the peer go on with the method, and says why.
    async fn revoked(&self, method: &'static MethodContract, peer: &str) -> Error {
        let mut changes = self.rules.changes();
        loop {
            match self.rules.verdict(method, peer) {
                CallerVerdict::Refused(rule) => {
                    tracing::info!(caller = peer, method = method.path, rule = rule.name(), "a stream is cut");
                    self.metrics.count_stream_revoked(method.domain);
                    return rule.error(method, peer);
                }
                // It was said when the stream was opened, or the next call says it.
                CallerVerdict::Unenforced(_) | CallerVerdict::Allowed => {}
            }
            if changes.changed().await.is_err() {
                // The rules are gone, and so will be all that stands on them.
                return std::future::pending().await;
            }
        }
    }

    /// The handler's reply, unless the caller of a stream is denied before the handler has given one; a stream of replies
    /// ends when the caller is. Without a peer the call is no stream.
    pub(super) async fn until_revoked(
        &self,
        method: &'static MethodContract,
        peer: Option<Arc<str>>,
        handling: impl Future<Output = Result<Reply<Payload>>>,
    ) -> Result<Reply<Payload>> {
        let Some(peer) = peer else { return handling.await };
        let reply = tokio::select! {
            biased;
            error = self.revoked(method, &peer) => Err(error),
            reply = handling => reply,
        }?;
        let admission = self.clone();
        Ok(reply.map(|payload| match payload {
            Payload::Stream(replies) => Payload::Stream(admission.cut(method, peer, replies)),
            message @ Payload::Message(_) => message,
        }))
    }

    fn cut(self, method: &'static MethodContract, peer: Arc<str>, replies: Streaming<Bytes>) -> Streaming<Bytes> {
        let revoked = Box::pin(async move { self.revoked(method, &peer).await });
        Box::pin(stream::unfold(Some((replies, revoked)), |open| async move {
            let (mut replies, mut revoked) = open?;
            tokio::select! {
                biased;
                error = &mut revoked => Some((Err(error), None)),
                reply = replies.next() => reply.map(|reply| (reply, Some((replies, revoked)))),
            }
        }))
    }
}

impl Server {
    /// Waits until there is nothing left that the peer may call. A peer that may call something now and is denied before the
    /// wait begins is noticed all the same.
    pub(super) fn nothing_left(&self, peer: &str) -> impl Future<Output = ()> {
        let admits = || self.admission.rules.admits_to_any(self.methods.values().map(|served| served.contract), peer);
        let mut changes = self.admission.rules.changes();
        let mut patience = if admits() { Duration::ZERO } else { UNWELCOME };
        async move {
            loop {
                if admits() {
                    patience = Duration::ZERO;
                    if changes.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                } else if tokio::time::timeout(patience, changes.changed()).await.is_err() {
                    return;
                }
            }
        }
    }
}
