//! `[admin]`: the operators' port.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use crate::setting::Setting;

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::address("admin.address", "The address that health checks and metrics are served on.").default("127.0.0.1"),
    Setting::port("admin.port", "The port that health checks and metrics are served on; 0 picks a free one.").default("9901"),
];

/// The operators' port: health, metrics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// The address to listen on.
    pub address: IpAddr,
    /// The port to listen on; 0 picks a free one.
    pub port: u16,
}

impl Admin {
    /// Address and port.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}
