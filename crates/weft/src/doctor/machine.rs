//! Ports and limits of this machine.

use std::{fs, io, net::SocketAddr};

use tokio::net::TcpListener;
use weft_config::Config;

use super::finding::Findings;

/// Descriptors beside those of the edge's clients: databases, other domains, files.
const OTHER_DESCRIPTORS: u64 = 256;

/// Whether a port is free. One in use may well be weft's own.
pub(super) async fn look_at_port(what: &str, setting: &str, address: SocketAddr, findings: &mut Findings) {
    let what = format!("port of {what}");
    match TcpListener::bind(address).await {
        Ok(_) => findings.good(what, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            findings.warning(what, format!("{address} is in use"), format!("good if weft runs there; else set {setting}"));
        }
        Err(error) => {
            findings.bad(what, format!("{address}: {error}"), format!("set {setting}, or the address that goes with it"));
        }
    }
}

/// Whether as many connections may be open as the edge takes.
pub(super) fn look_at_descriptors(config: &Config, findings: &mut Findings) {
    let Some(limit) = fs::read_to_string("/proc/self/limits").ok().and_then(|limits| open_files(&limits)) else { return };
    let wanted = config.edge.max_connections.get() as u64 + OTHER_DESCRIPTORS;
    if limit < wanted {
        let found = format!("{limit} may be open, and edge.max_connections needs {wanted}");
        findings.warning("open files", found, "raise it (`ulimit -n`, LimitNOFILE of systemd), or lower edge.max_connections");
    } else {
        findings.good("open files", format!("{limit} may be open"));
    }
}

/// The soft limit in the table that Linux has of a process (proc(5)).
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             95788                95788                processes \n\
            Max open files            1024                 1048576              files     \n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files            unlimited            unlimited            files"), Some(u64::MAX));
        assert_eq!(open_files("nothing of the kind"), None);
    }
}
