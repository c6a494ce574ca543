//! What an address of Redis names: one server, the primary that Sentinels know, or a cluster.
//!
//! All three are URLs, so that whoever shows one hides its password in the same way. Further servers stand in the query, as
//! `node=HOST:PORT`, each of them once: one is enough, where its name has an address for every server. Sentinels that ask for a
//! password have one of their own, which stands there as well, as `sentinel_password=...`, after `sentinel_user=...` if there is one.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};
use secrecy::SecretString;
use url::{
    Url,
    form_urlencoded::{self, Serializer},
};

use crate::CacheError;

/// Servers that are named for one Redis at most.
const MOST_NODES: usize = 32;
/// Where Sentinels listen that name no port.
const SENTINEL_PORT: u16 = 26379;

/// What an address names.
pub(super) enum Named {
    /// One server.
    Server(ConnectionInfo),
    /// The primary of a service.
    Sentinels {
        /// Where they are asked.
        sentinels: Vec<ConnectionAddr>,
        /// What they call the primary.
        service: String,
        /// User, password and number of the primary's database.
        login: ConnectionInfo,
        /// What they themselves ask for.
        own: SentinelLogin,
    },
    /// Any servers of a cluster.
    Cluster(Vec<ConnectionInfo>),
}

/// User and password of Sentinels.
#[derive(Default)]
pub(super) struct SentinelLogin {
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
}

/// How many servers there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Server,
    Sentinels,
    Cluster,
}

impl Named {
    /// Reads an address. The library's errors are dropped: they may repeat the password.
    pub(super) fn by(address: &str) -> Result<Self, CacheError> {
        let (form, encrypted) = match address.split_once("://").map(|(scheme, _)| scheme) {
            Some("redis+sentinel") => (Form::Sentinels, false),
            Some("rediss+sentinel") => (Form::Sentinels, true),
            Some("redis+cluster") => (Form::Cluster, false),
            Some("rediss+cluster") => (Form::Cluster, true),
            _ => (Form::Server, false),
        };
        if form == Form::Server {
            return address.into_connection_info().map(Self::Server).map_err(|_| CacheError::Address);
        }
        let scheme = if encrypted { "rediss" } else { "redis" };
        let mut url = Url::parse(address).map_err(|_| CacheError::Address)?;
        let mut path = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned);
        let (first, second, third) = (path.next(), path.next(), path.next());
        drop(path);
        url.set_scheme(scheme).map_err(|()| CacheError::Address)?;
        let own = if form == Form::Sentinels { take_login(&mut url)? } else { SentinelLogin::default() };
        let nodes = nodes(&url, if form == Form::Sentinels { Some(SENTINEL_PORT) } else { None })?;
        match (form, first, second, third) {
            (Form::Cluster, None, None, None) => Ok(Self::Cluster(nodes)),
            (Form::Sentinels, Some(service), number, None) => {
                let mut login = url;
                login.set_query(None);
                login.set_path(&number.unwrap_or_default());
                let login = login.as_str().into_connection_info().map_err(|_| CacheError::Address)?;
                let sentinels = nodes.iter().map(|node| node.addr().clone()).collect();
                Ok(Self::Sentinels { sentinels, service, login, own })
            }
            // A cluster has no numbered databases, and Sentinels are asked for a service by its name.
            _ => Err(CacheError::Address),
        }
    }
}

/// Takes what Sentinels ask for out of the query.
fn take_login(url: &mut Url) -> Result<SentinelLogin, CacheError> {
    let mut own = SentinelLogin::default();
    let mut others = Serializer::new(String::new());
    // A plus stands for itself, as it does before the host: passwords are pasted.
    let query = url.query().unwrap_or_default().replace('+', "%2B");
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let is_new = match name.as_ref() {
            "sentinel_user" => own.user.replace(value.into_owned()).is_none(),
            "sentinel_password" => own.password.replace(value.into_owned().into()).is_none(),
            _ => {
                others.append_pair(&name, &value);
                true
            }
        };
        if !is_new {
            return Err(CacheError::Address);
        }
    }
    // A user without a password cannot log in, and would be taken for nobody.
    if own.user.is_some() && own.password.is_none() {
        return Err(CacheError::Address);
    }
    let others = others.finish();
    url.set_query(Some(others.as_str()).filter(|others| !others.is_empty()));
    Ok(own)
}

/// The address of each server that is named.
fn nodes(url: &Url, port: Option<u16>) -> Result<Vec<ConnectionInfo>, CacheError> {
    let mut base = url.clone();
    base.set_query(None);
    base.set_path("");
    let mut named = vec![base.clone()];
    for (name, node) in url.query_pairs() {
        // A parameter that is not known would be ignored, and whoever wrote it would not learn it.
        if name != "node" || named.len() == MOST_NODES {
            return Err(CacheError::Address);
        }
        let node = Url::parse(&format!("redis://{node}")).map_err(|_| CacheError::Address)?;
        let mut other = base.clone();
        other.set_host(node.host_str()).map_err(|_| CacheError::Address)?;
        other.set_port(node.port()).map_err(|()| CacheError::Address)?;
        named.push(other);
    }
    let connection = |mut node: Url| {
        if let Some(port) = port.filter(|_| node.port().is_none()) {
            node.set_port(Some(port)).map_err(|()| CacheError::Address)?;
        }
        node.as_str().into_connection_info().map_err(|_| CacheError::Address)
    };
    named.into_iter().map(connection).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use secrecy::ExposeSecret;

    use super::*;

    fn places(addresses: &[ConnectionAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_primary_is_named_by_its_sentinels_and_its_service() {
        let address = "redis+sentinel://ann:s%40cret@one/orders/3?node=two:5000&node=three";
        let Named::Sentinels { sentinels, service, login, own } = Named::by(address).unwrap_or_else(|error| panic!("{error}"))
        else {
            panic!("not sentinels")
        };
        assert!(own.user.is_none() && own.password.is_none());
        assert_eq!(places(&sentinels), ["one:26379", "two:5000", "three:26379"]);
        assert_eq!(service, "orders");
        let login = login.redis_settings();
        assert_eq!((login.username(), login.password(), login.db()), (Some("ann"), Some("s@cret"), 3));
    }

    #[test]
    fn sentinels_have_a_login_of_their_own() {
        let address = "redis+sentinel://:theirs@one/orders?node=two&sentinel_user=bob&sentinel_password=a%26b+c%20d";
        let Ok(Named::Sentinels { sentinels, login, own, .. }) = Named::by(address) else { panic!("not sentinels") };
        assert_eq!(places(&sentinels), ["one:26379", "two:26379"]);
        assert_eq!(login.redis_settings().password(), Some("theirs"));
        assert_eq!((own.user.as_deref(), own.password.as_ref().map(ExposeSecret::expose_secret)), (Some("bob"), Some("a&b+c d")));
    }

    #[test]
    fn a_cluster_is_named_by_any_of_its_servers() {
        let Ok(Named::Cluster(nodes)) = Named::by("rediss+cluster://:hush@one:7000?node=two:7001") else { panic!("no cluster") };
        let addresses: Vec<_> = nodes.iter().map(|node| node.addr().clone()).collect();
        assert_eq!(places(&addresses), ["one:7000", "two:7001"]);
        assert!(addresses.iter().all(|address| matches!(address, ConnectionAddr::TcpTls { insecure: false, .. })));
        assert!(nodes.iter().all(|node| node.redis_settings().password() == Some("hush")));
    }

    #[test]
    fn what_names_no_servers_is_refused() {
        for address in [
            "redis+cluster://one/1",
            "redis+cluster://one?nodes=two",
            "redis+cluster://one?node=two:port",
            "redis+sentinel://one",
            "redis+sentinel://one/orders/3/4",
            "redis+sentinel://one/orders/three",
            "redis+sentinel://one/orders?sentinel_user=bob",
            "redis+sentinel://one/orders?sentinel_password=a&sentinel_password=b",
            "redis+cluster://one?sentinel_password=a",
            "redis+other://one",
            "http://one",
            "redis+cluster://",
        ] {
            assert!(matches!(Named::by(address), Err(CacheError::Address)), "{address}");
        }
        let many = vec!["node=two"; MOST_NODES].join("&");
        assert!(matches!(Named::by(&format!("redis+cluster://one?{many}")), Err(CacheError::Address)));
    }
}
