//! Intentions of a real Consul agent, between two meshes that share nothing else.

use std::time::{Duration, Instant};

use tokio::{sync::mpsc, task::JoinHandle, time::sleep};
use weft_access::{CallerPattern, CallerSettings};
use weft_config::CertificatesFrom;
use weft_edge_fixture::contract::NotesClient;
use weft_mesh::{Call, Clock, Domain, Error};
use weft_test_consul::Agent;
use weft_testkit::{Backend, Caller, Mesh};

use crate::given::{LIMIT, PROMISED, assert_refused, counted, echo, end, get, until_counted};

/// Twenty calls a second.
const PACE: Duration = Duration::from_millis(50);

async fn agent() -> Agent {
    let agent = Agent::start().unwrap_or_else(|error| panic!("{error}"));
    // It elects itself before it makes its authority.
    while !agent.ask("GET", "/v1/agent/connect/ca/roots", "").is_ok_and(|roots| roots.contains("RootCert")) {
        sleep(Duration::from_millis(50)).await;
    }
    agent
}

/// A mesh that gets its certificates from Consul, and is found by it.
async fn mesh(agent: &Agent, domain: Domain) -> Mesh {
    let address = agent.http().unwrap();
    let consul = move |config: &mut weft_config::Config| {
        config.consul.address = Some(address);
        config.mesh.certificates_from = CertificatesFrom::Consul;
    };
    Mesh::of([domain]).clock(Clock::system()).configure(consul).start(Backend::Sqlite).await
}

/// What became of a call, and when it was over.
type Outcome = (Instant, Result<(), Error>);

/// Calls at a pace until it is aborted.
fn calls(client: NotesClient, user: Caller) -> (JoinHandle<()>, mpsc::UnboundedReceiver<Outcome>) {
    let (sent, outcomes) = mpsc::unbounded_channel();
    let calling = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(PACE);
        loop {
            ticks.tick().await;
            let outcome = get(&client, &user.call()).await.map(drop);
            if sent.send((Instant::now(), outcome)).is_err() {
                return;
            }
        }
    });
    (calling, outcomes)
}

/// Reads outcomes until one is as expected: how long after `since` it was.
async fn first(outcomes: &mut mpsc::UnboundedReceiver<Outcome>, is_refused: bool, since: Instant) -> Duration {
    let reading = async {
        loop {
            let (at, outcome) = outcomes.recv().await.expect("the calls go on");
            if outcome.is_err() == is_refused {
                return at - since;
            }
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("no call is as expected")
}

async fn answered(client: &NotesClient, call: impl Fn() -> Call) {
    let calling = async {
        while get(client, &call()).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, calling).await.expect("the notes are found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intention_that_denies_is_in_force_within_a_second_under_load_and_its_end_as_well() {
    let agent = agent().await;
    let notes = mesh(&agent, weft_edge_fixture::domain()).await;
    let shop = mesh(&agent, weft_catalog::domain()).await;
    let (user, client) = (shop.user(shop.tenant(), "writer"), shop.client_as::<NotesClient>("catalog"));
    answered(&shop.client(), || user.call()).await;
    // The contract does not know the catalog as a caller; the configuration adds it.
    let refused = get(&client, &user.call()).await.unwrap_err();
    assert_refused(&refused, "catalog", "contract");
    notes.running().caller_rules().set_settings(&CallerSettings {
        callers: vec![CallerPattern { caller: Some("catalog".into()), domain: "notes".into(), method: None }],
        ..CallerSettings::default()
    });

    let (calling, mut outcomes) = calls(client, user.clone());
    first(&mut outcomes, false, Instant::now()).await;
    let stream = echo(&shop.client_as("catalog"), &user.call()).await;
    let edge = echo(&shop.client(), &user.call()).await;

    let denied = Instant::now();
    let intention = agent.intend("catalog", "notes", "deny").unwrap();
    let refused_after = first(&mut outcomes, true, denied).await;
    let (error, cut_after) = end(stream, denied).await;
    assert_refused(&error.expect("the stream ends with a status"), "catalog", "intention");
    until_counted(&notes, r#"weft_connections_revoked_total{domain="notes"}"#, 2).await;
    let closed_after = denied.elapsed();
    // Nothing gets through any more, and each call is told why.
    sleep(PACE * 20).await;
    let mut refused = 0;
    while let Ok((_, outcome)) = outcomes.try_recv() {
        assert_refused(&outcome.expect_err("a call got through"), "catalog", "intention");
        refused += 1;
    }

    let allowed = Instant::now();
    agent.forget_intention(&intention).unwrap();
    let taken_after = first(&mut outcomes, false, allowed).await;
    calling.abort();
    println!(
        "refused after {refused_after:?}, stream cut after {cut_after:?}, connections closed after {closed_after:?}, \
         {refused} more calls refused, allowed again after {taken_after:?}"
    );
    for took in [refused_after, cut_after, closed_after, taken_after] {
        assert!(took < PROMISED, "{took:?}");
    }
    assert!(refused > 10, "{refused} calls in a second");
    assert_eq!(counted(&notes, r#"weft_streams_revoked_total{domain="notes"}"#), 1, "the edge's stream is not cut");
    drop(edge);
}
