//! NATS with JetStream.

use std::path::Path;

use crate::{Plan, TestCarrierError, find, text};

pub(crate) fn plan(folder: &Path, [port, ..]: [u16; 3]) -> Result<Plan, TestCarrierError> {
    let arguments =
        ["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir", &text(&folder.join("data"))];
    let mut command = vec![find("nats-server", "nats")?];
    command.extend(arguments.map(str::to_owned));
    Ok(Plan { command, helper: Vec::new(), variables: Vec::new(), ready: "Server is ready" })
}
