//! What every log line of a call says of it.
//!
//! Problem: a line that a handler writes must name the request that it belongs to, and few calls
//! write any. Rule: the names are kept beside the task while the call is worked on, and are read when
//! a line is written. A `tracing` span would do the same, and cost each call its entry in the
//! registry, a copy of its fields and a look at the filters whenever it is polled: about as much as
//! all the rest of the server stack. A task that a handler spawns does not inherit them, as it would
//! not inherit a span.

use weft_call::{RequestId, TraceContext};

tokio::task_local! {
    static CALL: CallLines;
}

/// The names that the log lines of a call carry.
#[derive(Clone, Debug)]
pub struct CallLines {
    /// What all log lines of one request share.
    pub request_id: RequestId,
    /// The trace that the call belongs to.
    pub trace: TraceContext,
    /// The domain that is called.
    pub domain: &'static str,
    /// The method that is called.
    pub method: &'static str,
}

impl CallLines {
    /// Has every line that the work writes carry the names.
    pub async fn around<T>(self, work: impl Future<Output = T>) -> T {
        CALL.scope(self, work).await
    }

    /// Has every line that the work writes carry the names, when all of it is done at once.
    pub fn around_all<T>(self, work: impl FnOnce() -> T) -> T {
        CALL.sync_scope(self, work)
    }

    /// Shows the names of the call that is worked on; nothing is shown outside of one.
    pub(crate) fn show(mut put: impl FnMut(&'static str, &str)) {
        // Most lines of a process belong to no call.
        let _ = CALL.try_with(|call| {
            put("request_id", call.request_id.as_str());
            put("trace_id", &call.trace.trace());
            put("domain", call.domain);
            put("method", call.method);
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::json_lines::tests::logged;

    fn said() -> CallLines {
        CallLines { request_id: RequestId::fresh(), trace: TraceContext::start(), domain: "orders", method: "GetOrder" }
    }

    fn run(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
    }

    #[test]
    fn a_line_of_a_call_carries_its_names_and_no_other_does() {
        let said = said();
        let lines = logged(|| {
            run(async {
                said.clone()
                    .around(async {
                        tracing::info!("first");
                        tokio::task::yield_now().await;
                        tracing::info!(method = "its own", "second");
                    })
                    .await;
                tracing::info!("after");
            });
        });
        for line in &lines[..2] {
            assert_eq!(line["request_id"], said.request_id.as_str());
            assert_eq!(line["trace_id"], said.trace.trace().as_ref() as &str);
            assert_eq!(line["domain"], "orders");
        }
        assert_eq!((&lines[0]["method"], &lines[1]["method"]), (&"GetOrder".into(), &"its own".into()));
        assert!(lines[2].get("request_id").is_none());
    }

    #[test]
    fn calls_that_are_worked_on_in_turn_keep_their_names_apart() {
        let calls = [said(), said()];
        let work = |call: &CallLines| {
            call.clone().around(async {
                for _ in 0..3 {
                    tracing::info!("working");
                    tokio::task::yield_now().await;
                }
            })
        };
        let lines = logged(|| run(async { _ = tokio::join!(work(&calls[0]), work(&calls[1])) }));
        let of = |call: &CallLines| lines.iter().filter(|line| line["request_id"] == call.request_id.as_str()).count();
        assert_eq!((lines.len(), of(&calls[0]), of(&calls[1])), (6, 3, 3));
    }
}
