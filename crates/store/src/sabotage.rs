//! What the store's switches break, so that the tests of its promises can be seen to fail. Compiled in
//! only with the feature `sabotage`, which no release has.

use std::time::Duration;

use crate::session::Session;

/// Makes the commit later, while its caller says that it is made.
pub(crate) fn commit_later(session: Session) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Err(error) = session.commit_now().await {
            tracing::error!(%error, "a sabotaged commit failed");
        }
    });
}
