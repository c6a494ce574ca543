//! RabbitMQ, with a register of Erlang nodes of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use weft_test_ports::free_port;

use crate::{Plan, TestCarrierError, find, text};

pub(crate) fn plan(folder: &Path, [port, ..]: [u16; 3]) -> Result<Plan, TestCarrierError> {
    // Others at each start: the server refuses one that its predecessor used a moment ago.
    let (distribution, register) = (free_port()?, free_port()?);
    fs::write(folder.join("plugins"), "[].").map_err(TestCarrierError::Folder)?;
    // A stranger may log in from this machine, and nobody else can reach it.
    fs::write(folder.join("rabbit.conf"), "loopback_users = none\n").map_err(TestCarrierError::Folder)?;
    let place = |name: &str| text(&folder.join(name));
    let variables = vec![
        ("HOME", text(folder)),
        ("ERL_EPMD_PORT", register.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODENAME", format!("weft-{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", distribution.to_string()),
        ("RABBITMQ_MNESIA_BASE", place("data")),
        ("RABBITMQ_LOG_BASE", place("logs")),
        ("RABBITMQ_LOGS", "-".to_owned()),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", place("plugins")),
        ("RABBITMQ_CONFIG_FILE", place("rabbit")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
    ];
    let helper = ["epmd", "-port", &register.to_string(), "-address", "127.0.0.1"].map(str::to_owned).to_vec();
    Ok(Plan { command: vec![text(&server()?)], helper, variables, ready: "Server startup complete" })
}

/// The server itself: what is in the path starts it under an account of its own.
fn server() -> Result<PathBuf, TestCarrierError> {
    find("rabbitmq-server", "rabbitmq")?;
    let versions = fs::read_dir("/usr/lib/rabbitmq/lib").map_err(TestCarrierError::Folder)?;
    let servers = versions.flatten().map(|version| version.path().join("sbin/rabbitmq-server"));
    let missing = TestCarrierError::NotInstalled { program: "rabbitmq-server", tool: "rabbitmq" };
    servers.into_iter().find(|server| server.is_file()).ok_or(missing)
}
