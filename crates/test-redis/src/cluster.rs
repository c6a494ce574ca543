//! Several servers that share the keys.

use weft_test_ports::free_port;

use crate::{Server, TestRedisError, process, tell, until};

/// Where each primary's share of the 16,384 slots ends (Redis Cluster specification).
const SHARES: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// A cluster of three primaries, the first of which has a replica. It ends when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    primaries: Vec<Server>,
    _replica: Server,
}

impl Cluster {
    /// Blocks until all know each other.
    pub fn start() -> Result<Self, TestRedisError> {
        let primaries = SHARES.iter().map(|_| node()).collect::<Result<Vec<_>, _>>()?;
        let (replica, replica_bus) = node()?;
        for (number, ((server, _), (from, to))) in primaries.iter().zip(SHARES).enumerate() {
            tell(server.port(), &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1))?;
            tell(server.port(), &format!("CLUSTER ADDSLOTSRANGE {from} {to}"))?;
        }
        let first = primaries[0].0.port();
        for (server, bus) in &primaries[1..] {
            tell(first, &format!("CLUSTER MEET 127.0.0.1 {} {bus}", server.port()))?;
        }
        tell(first, &format!("CLUSTER MEET 127.0.0.1 {} {replica_bus}", replica.port()))?;
        let id = process::ask(first, "CLUSTER MYID").map_err(TestRedisError::Ask)?;
        let id = id.lines().nth(1).unwrap_or_default().to_owned();
        until(replica.port(), "CLUSTER NODES", |answer| answer.contains(&id))?;
        // It is taken once the primary's share is known as well.
        tell(replica.port(), &format!("CLUSTER REPLICATE {id}"))?;
        let is_whole = |answer: &str| answer.contains("cluster_state:ok") && answer.contains("cluster_known_nodes:4");
        for port in primaries.iter().map(|(server, _)| server.port()).chain([replica.port()]) {
            until(port, "CLUSTER INFO", is_whole)?;
        }
        until(replica.port(), "INFO replication", |answer| answer.contains("master_link_status:up"))?;
        Ok(Self { primaries: primaries.into_iter().map(|(server, _)| server).collect(), _replica: replica })
    }

    /// The address of one of its servers, as a URL.
    pub fn address(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}?node=127.0.0.1:{}", self.primaries[0].port(), self.primaries[1].port())
    }

    /// Kills the primary that has a replica.
    pub fn stop_first(&mut self) {
        self.primaries[0].stop();
    }
}

/// A server that is alone yet, and the port that others reach it by.
fn node() -> Result<(Server, u16), TestRedisError> {
    let bus = free_port()?;
    let port = bus.to_string();
    let timeout = ["--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0"];
    let server = Server::told(&[&["--cluster-enabled", "yes", "--cluster-port", &port][..], &timeout].concat())?;
    Ok((server, bus))
}
