//! Where a request comes from, when proxies stand before the edge.
//!
//! Problem: behind a proxy every connection comes from the proxy, and what `X-Forwarded-For` says can be made up by
//! whoever sends it. Rule: each proxy appends the address that it was reached from, so the list is read from its right end,
//! for as long as whoever appended is trusted; the first address that is none of a trusted proxy's is the client's. What
//! stands left of it is not looked at. Recovery: an entry that is no address ends the reading, and the request comes from
//! whoever appended it.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Not registered, and what every proxy sends.
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Proxies that may stand in a row.
const MOST_HOPS: usize = 32;

/// The networks of the proxies that are trusted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    /// Whether the address is a trusted proxy's.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address that a request comes from.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        // Several fields are one list (RFC 9110 section 5.3).
        let fields = headers.get_all(&FORWARDED_FOR).iter().rev().map(|value| value.to_str().unwrap_or_default());
        for entry in fields.flat_map(|field| field.rsplit(',')).take(MOST_HOPS) {
            let Some(address) = address(entry.trim()) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// Some proxies append the port, and brackets to tell it from an IPv6 address.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = match entry.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => entry,
    };
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    bare.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn client(peer: &str, fields: &[&str]) -> String {
        let proxies = Proxies::new(&["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(&FORWARDED_FOR, field.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_where_it_comes_from_whatever_it_says() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_about_the_last_address_and_no_further() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7", "the left is what the client made up");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.7, 10.9.9.9"]), "198.51.100.7", "through two proxies");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn ports_and_brackets_are_read() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(client("2001:db8:1::9", &["[2001:db8:2::1]:4711"]), "2001:db8:2::1");
        assert_eq!(client("2001:db8:1::9", &["[2001:db8:2::1]"]), "2001:db8:2::1");
        assert_eq!(client("2001:db8:1::9", &["2001:db8:2::1"]), "2001:db8:2::1");
    }

    #[test]
    fn what_is_no_address_ends_the_reading() {
        for bad in ["", "unknown", "198.51.100.7, unknown", "198.51.100.7,", "[::1", "1.2.3.4.5"] {
            assert_eq!(client("10.0.0.1", &[bad]), "10.0.0.1", "{bad}");
        }
    }

    #[test]
    fn without_a_client_the_farthest_proxy_stands_for_it() {
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
