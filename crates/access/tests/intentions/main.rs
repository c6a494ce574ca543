//! Intentions of a real Consul agent.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use weft_access::{CallerRefusal, CallerRules, CallerVerdict, ConsulIntentions};
use weft_call::{Access, Audit, Contract, Idempotency, MethodContract, MethodKind, ServiceContract};
use weft_consul::{ConsulSettings, Token};
use weft_test_consul::Agent;

/// Longer than a change takes to arrive, and shorter than a blocking query waits.
const LIMIT: Duration = Duration::from_secs(10);

const GET_PRODUCT: MethodContract = MethodContract {
    index: 0,
    domain: "catalog",
    service: "weft.catalog.v1.Catalog",
    name: "GetProduct",
    path: "/weft.catalog.v1.Catalog/GetProduct",
    input: "",
    output: "",
    kind: MethodKind::Unary,
    access: Access { public: true, authenticated: false, permission: None, roles: &[], callers: &[], any_of: false },
    system: None,
    deadline: None,
    idempotency: Idempotency::Read,
    replica: false,
    limits: &[],
    audit: Audit::None,
    http: &[],
};

const ORDERS: Contract = Contract {
    domain: "orders",
    package: "weft.orders.v1",
    services: &[ServiceContract {
        name: "weft.orders.v1.Orders",
        domain: "orders",
        calls: &["weft.catalog.v1.Catalog"],
        permissions: &[],
        methods: &[],
    }],
    reasons: &[],
    events: &[],
    descriptor_set: &[],
};

fn agent(started: Result<Agent, weft_test_consul::TestConsulError>) -> Agent {
    started.unwrap_or_else(|error| panic!("{error}"))
}

async fn follow(agent: &Agent, token: Option<&str>) -> (Arc<CallerRules>, ConsulIntentions) {
    let rules = Arc::new(CallerRules::of([&ORDERS]));
    let token = Token::new(token.map(Into::into).as_ref()).unwrap();
    let settings = ConsulSettings { token, ..ConsulSettings::new(agent.http().unwrap()) };
    let intentions = ConsulIntentions::follow(&settings, ["catalog"], Arc::clone(&rules)).await.unwrap();
    (rules, intentions)
}

/// May orders and the edge call?
fn may(rules: &CallerRules) -> [bool; 2] {
    ["orders", "edge"].map(|peer| match rules.verdict(&GET_PRODUCT, peer) {
        CallerVerdict::Allowed => true,
        CallerVerdict::Refused(CallerRefusal::Intention) => false,
        other => panic!("{other:?}"),
    })
}

/// How long it took until it was so.
async fn until(rules: &CallerRules, expected: [bool; 2]) -> Duration {
    let begun = Instant::now();
    while may(rules) != expected {
        assert!(begun.elapsed() < LIMIT, "still {:?} and not {expected:?}", may(rules));
        sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_intention_decides_and_a_change_arrives_within_a_second() {
    let agent = agent(Agent::start());
    let (rules, _intentions) = follow(&agent, None).await;
    assert_eq!(may(&rules), [true, true], "without access control, what nobody denies is allowed");
    let mut waits = Vec::new();
    let everybody = agent.intend("*", "catalog", "deny").unwrap();
    waits.push(until(&rules, [false, false]).await);
    let orders = agent.intend("orders", "catalog", "allow").unwrap();
    waits.push(until(&rules, [true, false]).await);
    let all = agent.intend("*", "*", "allow").unwrap();
    agent.forget_intention(&everybody).unwrap();
    waits.push(until(&rules, [true, true]).await);
    agent.forget_intention(&orders).unwrap();
    let denied = agent.intend("orders", "*", "deny").unwrap();
    waits.push(until(&rules, [false, true]).await);
    agent.forget_intention(&denied).unwrap();
    agent.forget_intention(&all).unwrap();
    waits.push(until(&rules, [true, true]).await);
    assert!(waits.iter().all(|wait| *wait < Duration::from_secs(1)), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_access_control_denies_by_default_an_intention_must_allow() {
    let agent = agent(Agent::with_token("b1f1c0de-0000-4000-8000-000000000001"));
    let (rules, _intentions) = follow(&agent, Some("b1f1c0de-0000-4000-8000-000000000001")).await;
    assert_eq!(may(&rules), [false, false]);
    let orders = agent.intend("orders", "catalog", "allow").unwrap();
    until(&rules, [true, false]).await;
    agent.forget_intention(&orders).unwrap();
    until(&rules, [false, false]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_known_intentions_hold_while_consul_is_gone_and_while_it_knows_nothing() {
    let mut agent = agent(Agent::start());
    agent.intend("orders", "catalog", "deny").unwrap();
    let (rules, intentions) = follow(&agent, None).await;
    assert_eq!(may(&rules), [false, true]);
    assert!(!intentions.is_stale());
    agent.stop();
    let begun = Instant::now();
    while !intentions.is_stale() {
        assert!(begun.elapsed() < LIMIT, "no alarm");
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(may(&rules), [false, true]);
    agent.restart().unwrap();
    while intentions.is_stale() {
        assert!(begun.elapsed() < LIMIT * 3, "still stale");
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(may(&rules), [false, true], "an agent that lost its memory is not believed at once");
    agent.intend("edge", "catalog", "deny").unwrap();
    until(&rules, [true, false]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn intentions_that_cannot_be_had_end_the_start() {
    let agent = agent(Agent::with_token("b1f1c0de-0000-4000-8000-000000000001"));
    let settings = ConsulSettings::new(agent.http().unwrap());
    let refused = ConsulIntentions::follow(&settings, ["catalog"], Arc::new(CallerRules::default())).await;
    assert!(matches!(refused, Err(weft_consul::ConsulError::Refused { .. })), "{refused:?}");
}
