//! Switches that break the promises of this crate, so that the crash test can be seen to fail. They
//! are compiled in only with the feature `sabotage`, which no release has.

use std::{sync::LazyLock, time::Duration};

fn is_set(switch: &str) -> bool {
    std::env::var("WEFT_SABOTAGE").is_ok_and(|what| what == switch)
}

/// True with `WEFT_SABOTAGE=events-recorded-before-sent`: a crash between the two loses events.
pub(crate) fn sends_after_recording() -> bool {
    static SET: LazyLock<bool> = LazyLock::new(|| is_set("events-recorded-before-sent"));
    *SET
}

/// True with `WEFT_SABOTAGE=events-not-recorded`: what comes twice has its effect twice.
pub(crate) fn forgets_what_is_handled() -> bool {
    static SET: LazyLock<bool> = LazyLock::new(|| is_set("events-not-recorded"));
    *SET
}

/// Long enough for a kill to fall into it now and then.
pub(crate) async fn wait_to_be_killed() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
