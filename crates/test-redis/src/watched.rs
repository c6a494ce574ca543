//! A server whose place another takes when a Sentinel says so.

use std::fs;

use tempfile::TempDir;
use weft_test_ports::free_port;

use crate::{
    Server, TestRedisError,
    process::{Process, Run},
    program, tell, until,
};

/// A primary and its replica, watched by a Sentinel. They end when this is dropped.
#[derive(Debug)]
pub struct Watched {
    primary: Server,
    _replica: Server,
    sentinel: u16,
    _process: Process,
    _folder: TempDir,
}

impl Watched {
    /// What Sentinel calls the primary.
    pub const SERVICE: &str = "orders";

    /// Blocks until Sentinel knows both.
    pub fn start() -> Result<Self, TestRedisError> {
        let primary = Server::start()?;
        let replica = Server::told(&["--replicaof", "127.0.0.1", &primary.port().to_string()])?;
        until(replica.port(), "INFO replication", |answer| answer.contains("master_link_status:up"))?;
        let folder = tempfile::Builder::new().prefix("weft-sentinel-").tempdir().map_err(TestRedisError::Folder)?;
        let sentinel = free_port()?;
        let (service, port) = (Self::SERVICE, primary.port());
        let settings = format!(
            "port {sentinel}\nbind 127.0.0.1\nsentinel monitor {service} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {service} 500\nsentinel failover-timeout {service} 3000\n"
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, settings).map_err(TestRedisError::Folder)?;
        let process = Process::start(&Run {
            program: &program()?,
            folder: folder.path(),
            port: sentinel,
            arguments: vec![file.into(), "--sentinel".into()],
            speaks_tls: false,
        })?;
        let replica_port = replica.port().to_string();
        until(sentinel, &format!("SENTINEL REPLICAS {service}"), |answer| answer.contains(&replica_port))?;
        Ok(Self { primary, _replica: replica, sentinel, _process: process, _folder: folder })
    }

    /// The address of the Sentinel, as a URL.
    pub fn address(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{}", self.sentinel, Self::SERVICE)
    }

    /// Has the Sentinel answer this user alone, with this password, of letters and digits.
    pub fn guard(&self, user: &str, password: &str) -> Result<(), TestRedisError> {
        tell(self.sentinel, &format!("ACL SETUSER {user} on >{password} +@all"))?;
        tell(self.sentinel, "ACL SETUSER default off")
    }

    /// Kills the primary.
    pub fn stop_primary(&mut self) {
        self.primary.stop();
    }

    /// Starts what was the primary again. Blocks until Sentinel has made it a replica.
    pub fn restart_primary(&mut self) -> Result<(), TestRedisError> {
        self.primary.restart()?;
        until(self.primary.port(), "ROLE", |answer| answer.contains("slave"))
    }
}
