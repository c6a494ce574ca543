//! The agent goes, comes back, and remembers nothing.

use weft_discovery::Resolver;
use weft_test_consul::Agent;

use crate::given::{agent, ask, consul, endpoint, healthy, orders, until, until_stale};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_known_endpoints_stay_until_the_agent_is_back_and_told_again() {
    let mut agent = agent(Agent::start());
    let (caller, callee) = (consul(&agent), consul(&agent));
    let _registration = callee.register(orders(1), healthy);
    let mut watch = caller.watch("orders");
    until(&mut watch, &[endpoint(1)]).await;
    // The history of the agent that comes back is a shorter one: its index goes backwards.
    for _ in 0..3 {
        ask(&agent, "PUT", "/v1/agent/service/maintenance/orders-10.0.0.1-1?enable=true");
        until(&mut watch, &[]).await;
        ask(&agent, "PUT", "/v1/agent/service/maintenance/orders-10.0.0.1-1?enable=false");
        until(&mut watch, &[endpoint(1)]).await;
    }
    assert!(!caller.is_stale());

    agent.stop();
    until_stale(&caller, true).await;
    assert_eq!(caller.endpoints("orders"), [endpoint(1)]);
    // From here on the caller may not see a moment without endpoints.
    watch.mark_unchanged();
    tokio::task::block_in_place(|| agent.restart()).unwrap();
    until_stale(&caller, false).await;
    until_stale(&callee, false).await;
    assert!(!watch.has_changed().unwrap(), "{:?}", watch.borrow());

    // What happens from now on is seen again.
    let _second = callee.register(orders(2), healthy);
    until(&mut watch, &[endpoint(1), endpoint(2)]).await;
}
