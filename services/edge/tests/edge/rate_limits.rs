//! How often clients may call, and what they are told of it.

use std::{net::IpAddr, sync::Arc};

use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;
use weft_cache::Redis;
use weft_edge::Running;

use crate::{
    house::{House, Told, told},
    issuer::Issuer,
    wire::{Wire, frame},
};

const BY_ADDRESS: &str = "/v1/limits/address";
const BY_ACCOUNT: &str = "/v1/limits/account";
const LOOPBACK: &str = "127.0.0.1";

impl House {
    /// Calls by way of a proxy that says where the call comes from.
    async fn by_proxy(&self, forwarded: &str) -> Told {
        told(self.request("GET", BY_ADDRESS).header("x-forwarded-for", forwarded)).await
    }

    /// How many calls succeed until the first that is refused, which is told too.
    async fn until_refused(&self, call: impl AsyncFn(&Self) -> Told) -> (usize, Told) {
        for succeeded in 0..30 {
            let answer = call(self).await;
            if answer.status != 200 {
                return (succeeded, answer);
            }
        }
        panic!("nothing is refused");
    }
}

fn trust_loopback(edge: &mut weft_edge::Edge) {
    edge.settings.trusted_proxies = vec![LOOPBACK.parse::<IpAddr>().unwrap().into()];
}

#[tokio::test]
async fn a_client_is_told_what_it_has_left_and_when_to_come_again() {
    let house = House::start().await;
    let first = house.get(BY_ADDRESS).await;
    assert_eq!(first.header("ratelimit-policy"), "\"address\";q=3;w=3");
    assert_eq!(first.header("ratelimit"), "\"address\";r=2;t=1");
    let (_, refused) = house.until_refused(async |house| house.get(BY_ADDRESS).await).await;
    assert_eq!((refused.status, refused.reason().as_str()), (429, "RATE_LIMITED"));
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("1", "\"address\";r=0;t=1"));
    assert_eq!(refused.facts()["limit"], "address");
    assert_eq!(house.get("/v1/motto").await.header("ratelimit"), "", "it has no limit");
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart_and_cannot_make_up_addresses() {
    let house = House::with(trust_loopback).await;
    let (_, refused) = house.until_refused(async |house| house.by_proxy("198.51.100.1").await).await;
    assert_eq!(refused.status, 429);
    assert_eq!(house.by_proxy("203.0.113.9, 198.51.100.1").await.status, 429, "what stands left is made up");
    assert_eq!(house.by_proxy("198.51.100.2").await.status, 200);
    let (_, refused) = house.until_refused(async |house| house.by_proxy("2001:db8::1").await).await;
    assert_eq!(refused.status, 429);
    assert_eq!(house.by_proxy("2001:db8::ffff:2").await.status, 429, "a subscriber has a whole /64");
    assert_eq!(house.by_proxy("2001:db8:0:1::1").await.status, 200);
}

#[tokio::test]
async fn nobody_believes_a_stranger_about_where_it_comes_from() {
    let house = House::start().await;
    let calls = std::sync::atomic::AtomicU8::new(0);
    let forged = async |house: &House| {
        let last = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        house.by_proxy(&format!("198.51.100.{last}")).await
    };
    assert_eq!(house.until_refused(forged).await.1.status, 429);
}

#[tokio::test]
async fn users_share_the_limit_of_their_tenant() {
    let house = House::start().await;
    let tenant = Uuid::now_v7();
    let token = || {
        let mut claims = Issuer::claims(house.mesh.clock().now());
        claims["tid"] = Value::String(tenant.to_string());
        house.issuer.sign(&claims)
    };
    let (one, other) = (token(), token());
    let first = house.get_as(&one, BY_ACCOUNT).await;
    assert_eq!(first.header("ratelimit-policy"), "\"user\";q=3;w=3, \"tenant\";q=5;w=5");
    assert_eq!(first.header("ratelimit"), "\"user\";r=2;t=1, \"tenant\";r=4;t=1");
    let (_, refused) = house.until_refused(async |house| house.get_as(&one, BY_ACCOUNT).await).await;
    assert_eq!((refused.reason().as_str(), &refused.facts()["limit"]), ("RATE_LIMITED", &"user".into()));
    let (_, refused) = house.until_refused(async |house| house.get_as(&other, BY_ACCOUNT).await).await;
    assert_eq!(refused.reason(), "RATE_LIMITED");
    assert_eq!(house.get_as(&house.token(), BY_ACCOUNT).await.status, 200, "another tenant is not concerned");
}

#[tokio::test]
async fn a_tenant_has_its_quota_whatever_it_calls_and_others_have_theirs() {
    let mut factors = None;
    let house = House::with(|edge| factors = Some(edge.limit_factors.clone())).await;
    let token = house.token();
    let note = async |token: &str| told(house.request("POST", "/v1/notes").bearer_auth(token).body("{}")).await;
    assert_eq!(note(&token).await.header("ratelimit"), "", "nobody said how much is too much");
    factors.unwrap().set_quotas(Some(2), [].into());
    let first = note(&token).await;
    assert_eq!((first.status, first.header("ratelimit-policy")), (201, "\"quota\";q=2;w=86400"));
    assert!(first.header("ratelimit").starts_with("\"quota\";r=1;t="), "{}", first.header("ratelimit"));
    assert_eq!(house.get_as(&token, BY_ACCOUNT).await.status, 200);
    let refused = note(&token).await;
    assert_eq!((refused.status, refused.reason().as_str(), &refused.facts()["limit"]), (429, "RATE_LIMITED", &"quota".into()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((43_000..=43_200).contains(&wait), "one of two calls a day comes free in half a day: {wait}");
    assert_eq!(note(&house.token()).await.status, 201, "another tenant is not concerned");
    assert_eq!(house.get("/v1/motto").await.status, 200, "nor is who calls for nobody");
}

#[tokio::test]
async fn grpc_clients_are_counted_with_the_others() {
    let house = House::start().await;
    house.until_refused(async |house| house.get(BY_ADDRESS).await).await;
    let mut wire = Wire::open(&house).await;
    let refused = wire.call("/fixture.notes.v1.Notes/CountAddress", &[], &[frame(b"")]).await;
    assert_eq!(refused.reason(), "RATE_LIMITED");
    assert!(refused.headers["ratelimit"].to_str().unwrap().starts_with("\"address\";r=0"));
}

/// How many calls two edges let through by turns until one refuses.
async fn together(house: &House, other: &Running) -> usize {
    let client = house.token();
    for succeeded in 0..30 {
        let address = if succeeded % 2 == 0 { house.edge.local_addr } else { other.local_addr };
        let url = format!("http://{address}{BY_ADDRESS}");
        let answer = reqwest::Client::new().get(url).header("x-forwarded-for", forwarded(&client)).send().await.unwrap();
        if answer.status() == 429 {
            return succeeded;
        }
    }
    panic!("nothing is refused");
}

/// An address that no other test or run uses: the counters outlive them.
fn forwarded(seed: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(seed);
    let group = |at: usize| u16::from_be_bytes([digest[at], digest[at + 1]]);
    format!("2001:db8:{:x}:{:x}::1", group(0), group(2))
}

#[tokio::test]
async fn edges_that_share_counters_share_limits_and_those_that_do_not_have_their_own() {
    let url = SecretString::from(weft_test_redis::address().unwrap());
    let redis = || Arc::new(Redis::new(&url).unwrap());
    let shared = redis();
    let house = House::with(|edge| {
        trust_loopback(edge);
        edge.counters = shared;
    })
    .await;
    let mut sharing = house.another();
    trust_loopback(&mut sharing);
    // Another connection, as another process would have.
    sharing.counters = redis();
    let sharing = sharing.start().await.unwrap();
    let begun = std::time::Instant::now();
    let succeeded = together(&house, &sharing).await;
    // One more comes free each second.
    let most = 3 + usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!((3..=most).contains(&succeeded), "{succeeded}");
    let mut alone = house.another();
    trust_loopback(&mut alone);
    let alone = alone.start().await.unwrap();
    assert!(together(&house, &alone).await >= 6);
}

#[tokio::test]
async fn without_the_shared_counters_an_edge_counts_by_itself() {
    let nobody = weft_test_ports::free_port().unwrap();
    let house = House::with(|edge| {
        edge.counters = Arc::new(Redis::new(&SecretString::from(format!("redis://127.0.0.1:{nobody}/"))).unwrap());
    })
    .await;
    let (succeeded, refused) = house.until_refused(async |house| house.get(BY_ADDRESS).await).await;
    assert!(succeeded >= 3);
    assert_eq!(refused.reason(), "RATE_LIMITED");
}
