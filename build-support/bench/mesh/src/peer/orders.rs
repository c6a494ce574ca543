//! What the parent says, line by line.

use std::io::BufRead;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// The lines of standard input, read on a thread of their own so that the runtime goes on meanwhile.
pub(crate) struct Orders(mpsc::UnboundedReceiver<String>);

impl Orders {
    pub(crate) fn read() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let lines = std::io::stdin().lock().lines().map_while(Result::ok);
            lines.map(|line| sender.send(line)).take_while(Result::is_ok).for_each(drop);
        });
        Self(receiver)
    }

    /// The next one; `None` once the parent is done.
    pub(crate) async fn next<O: DeserializeOwned>(&mut self) -> Option<anyhow::Result<O>> {
        Some(serde_json::from_str(&self.0.recv().await?).map_err(Into::into))
    }
}
