//! A switch that breaks the promise that an answered write is kept, so that the crash test can be
//! seen to fail. It is compiled in only with the feature `sabotage`, which no release has.

use std::{sync::LazyLock, time::Duration};

use crate::session::Session;

/// True with `WEFT_SABOTAGE=answer-before-commit` in the environment.
pub(crate) fn answers_before_commit() -> bool {
    static SET: LazyLock<bool> =
        LazyLock::new(|| std::env::var("WEFT_SABOTAGE").is_ok_and(|what| what == "answer-before-commit"));
    *SET
}

/// Makes the commit later, while its caller says that it is made.
pub(crate) fn commit_later(session: Session) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Err(error) = session.commit_now().await {
            tracing::error!(%error, "a sabotaged commit failed");
        }
    });
}
