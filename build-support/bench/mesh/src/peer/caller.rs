//! The client of either contender.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use tonic::transport::Channel;
use weft_call::{Call, CallBuilder, Clock};

use super::{ClientSettings, Method, Stack, bare, woven};
use crate::contract::{BenchClient, EchoRequest, tonic::bench_client};

/// A client and its connections.
pub(crate) enum Caller {
    /// weft's.
    Weft {
        client: BenchClient,
        /// Whose edge vouches for the user.
        certificates: Option<PathBuf>,
    },
    /// tonic's, taken in turn if there are several.
    Tonic { clients: Vec<bench_client::BenchClient<Channel>>, next: AtomicUsize },
}

impl Caller {
    pub(crate) fn open(settings: &ClientSettings) -> anyhow::Result<Self> {
        let certificates = settings.certificates.clone();
        let folder = certificates.as_deref();
        let clients = match settings.stack {
            Stack::Weft => return Ok(Self::Weft { client: woven::client(&settings.ports, folder)?, certificates }),
            Stack::TonicBalanced => vec![bare::balanced(&settings.ports)?],
            Stack::Tonic | Stack::TonicRoundRobin => {
                settings.ports.iter().map(|port| bare::client(*port, folder)).collect::<Result<_, _>>()?
            }
        };
        Ok(Self::Tonic { clients, next: AtomicUsize::new(0) })
    }

    /// What the calls of one order are made on account of, in turn.
    pub(crate) fn calls(&self) -> anyhow::Result<Vec<Call>> {
        match self {
            Self::Weft { certificates: Some(folder), .. } => woven::calls(folder),
            _ => Ok(vec![CallBuilder::new(Clock::system()).build()]),
        }
    }

    /// Makes one call; the error's text if it fails.
    pub(crate) async fn echo(&self, call: &Call, method: Method, request: EchoRequest) -> Result<(), String> {
        match self {
            Self::Weft { client, .. } => {
                let result = match method {
                    Method::Echo => client.echo(call, request).await,
                    Method::EchoForUser => client.echo_for_user(call, request).await,
                    Method::EchoOnce => client.echo_once(call, request).await,
                };
                result.map(drop).map_err(|error| error.to_string())
            }
            Self::Tonic { clients, next } => {
                let index = if clients.len() == 1 { 0 } else { next.fetch_add(1, Ordering::Relaxed) % clients.len() };
                clients[index].clone().echo(request).await.map(drop).map_err(|status| status.to_string())
            }
        }
    }
}
