//! Ports for one agent.

use serde_json::{Value, json};
use weft_test_ports::{TestPortsError, free_port};

/// The ports that an agent cannot do without.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) dns: u16,
    server: u16,
    serf: u16,
}

impl Ports {
    /// Ports that nobody listens on at this moment, all different.
    pub(crate) fn free() -> Result<Self, TestPortsError> {
        let [http, https, dns, server, serf] = [free_port()?, free_port()?, free_port()?, free_port()?, free_port()?];
        Ok(Self { http, https, dns, server, serf })
    }

    /// The member `ports` of the agent's configuration. What tests do not need is off.
    pub(crate) fn configuration(&self) -> Value {
        let Self { http, https, dns, server, serf } = self;
        json!({"http": http, "https": https, "server": server, "serf_lan": serf, "serf_wan": -1, "dns": dns, "grpc": -1})
    }
}
