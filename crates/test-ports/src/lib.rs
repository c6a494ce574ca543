//! Ports for servers of tests that must be told theirs.
//!
//! A server that binds port 0 has its port for itself. One that is told its port, or starts again at the same one, does
//! not: between the moment in which a port is seen to be free and the one in which it is bound, another may take it. Who
//! takes it is either a connection, since systems give their source ports out of the same range that port 0 is answered
//! from, or another test that was given the same number.
//!
//! So [`free_port`] counts through a range below the one of connections. How far it came stands in a file of the user's,
//! which processes lock while they count: a number is given again after all others were. What listens in the range
//! already is passed over. `build-support/free_port.py` counts on in the same file for scripts.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Read, Seek, Write},
    net::{TcpListener, UdpSocket},
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// Below what Linux (32,768), Windows and macOS (49,152) give to connections and what Kubernetes gives to Services
/// (30,000), above the ports that weft and what it uses have by default.
const RANGE: RangeInclusive<u16> = 10_000..=29_999;

/// Why there is no port for a test.
#[derive(Debug, thiserror::Error)]
pub enum TestPortsError {
    /// The file in which is counted cannot be written.
    #[error("cannot count ports in {file:?}")]
    Count {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Every port of the range is in use.
    #[error("each of the ports {} to {} is in use", RANGE.start(), RANGE.end())]
    None,
}

/// A port of this machine that nobody listens on, by TCP or UDP, and that no test was given lately.
pub fn free_port() -> Result<u16, TestPortsError> {
    let folder = cache();
    let file = folder.join("last-port");
    let failed = |source| TestPortsError::Count { file: file.clone(), source };
    fs::create_dir_all(folder).map_err(failed)?;
    next(&file).map_err(failed)?.ok_or(TestPortsError::None)
}

/// The folder in which `build-support/tools.sh` has its tools.
fn cache() -> PathBuf {
    let home = || env::home_dir().map(|home| home.join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    cache.or_else(home).unwrap_or_else(env::temp_dir).join("weft")
}

/// Counts on to the next port that is free.
fn next(file: &Path) -> io::Result<Option<u16>> {
    // Until it is closed, no other process counts.
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file)?;
    file.lock()?;
    let mut last = Vec::new();
    Read::by_ref(&mut file).take(5).read_to_end(&mut last)?;
    // Nothing yet, or what a killed process left half-written: from the start.
    let last = str::from_utf8(&last).ok().and_then(|last| last.parse().ok()).filter(|last| RANGE.contains(last));
    let last = last.unwrap_or(*RANGE.end());
    let mut others = (last..=*RANGE.end()).skip(1).chain(*RANGE.start()..=last);
    let Some(port) = others.find(|port| is_free(*port)) else { return Ok(None) };
    file.rewind()?;
    write!(file, "{port:05}")?;
    Ok(Some(port))
}

fn is_free(port: u16) -> bool {
    // All addresses of the machine: what listens on any of them is in the way of one who binds them all.
    TcpListener::bind(("0.0.0.0", port)).is_ok() && UdpSocket::bind(("0.0.0.0", port)).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_a_connection_could_take() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("last-port");
        let count = || (0..50).map(|_| next(&file).unwrap().unwrap()).collect::<Vec<_>>();
        let ports: Vec<u16> = thread::scope(|scope| {
            let counting: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            counting.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 200);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn what_listens_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("last-port");
        let taken = free_port().unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", taken)).unwrap();
        fs::write(&file, format!("{:05}", taken - 1)).unwrap();
        assert_ne!(next(&file).unwrap().unwrap(), taken);
    }

    #[test]
    fn after_the_last_comes_the_first_and_so_it_does_after_nonsense() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("last-port");
        for last in ["29999", "99999", "1", "port", ""] {
            fs::write(&file, last).unwrap();
            let port = next(&file).unwrap().unwrap();
            // A few of the first may be in use.
            assert!((10_000..10_100).contains(&port), "after {last:?} came {port}");
        }
    }

    #[test]
    fn scripts_count_on_in_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("weft")).unwrap();
        let file = folder.path().join("weft/last-port");
        let first = next(&file).unwrap().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../build-support/free_port.py");
        let printed = std::process::Command::new("python3").arg(script).env("XDG_CACHE_HOME", folder.path()).output().unwrap();
        let printed: u16 = String::from_utf8(printed.stdout).unwrap().trim().parse().unwrap();
        let third = next(&file).unwrap().unwrap();
        assert!(first < printed && printed < third && third < first + 100, "{first}, {printed}, {third}");
    }
}
