//! Instances come, fail, recover and go.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use weft_discovery::{Resolver, Service};
use weft_test_consul::Agent;

use crate::given::{agent, ask, consul, endpoint, healthy, is_found, orders, until};

#[tokio::test]
async fn a_registered_instance_is_found_with_what_it_says_of_itself() {
    let agent = agent(Agent::start());
    let consul = consul(&agent);
    let mut watch = consul.watch("orders");
    watch.changed().await.unwrap();
    assert!(watch.borrow_and_update().is_empty(), "the first answer is a change even if nobody is there");
    let first = consul.register(orders(1), healthy);
    until(&mut watch, &[endpoint(1)]).await;
    let second = consul.register(orders(2), healthy);
    until(&mut watch, &[endpoint(1), endpoint(2)]).await;
    assert_eq!(consul.endpoints("orders"), [endpoint(1), endpoint(2)]);
    assert!(ask(&agent, "GET", "/v1/agent/services").contains(r#""Tags":["blue"]"#));
    drop(first);
    until(&mut watch, &[endpoint(2)]).await;
    second.deregister().await;
    assert!(ask(&agent, "GET", "/v1/agent/services").ends_with("{}"), "deregistered once it is told so");
    until(&mut watch, &[]).await;
}

#[tokio::test]
async fn an_instance_without_a_host_is_where_its_agent_is() {
    let agent = agent(Agent::start());
    let consul = consul(&agent);
    let _registration = consul.register(Service { host: None, ..orders(7) }, healthy);
    let mut watch = consul.watch("orders");
    let found = watch.wait_for(|endpoints| !endpoints.is_empty()).await.unwrap()[0].clone();
    assert_eq!((found.host.as_str(), found.port), ("127.0.0.1", 7));
}

#[tokio::test]
async fn an_instance_is_found_only_while_it_is_healthy() {
    let agent = agent(Agent::start());
    let consul = consul(&agent);
    let is_healthy = Arc::new(AtomicBool::new(true));
    let health = Arc::clone(&is_healthy);
    let _sick = consul.register(orders(1), move || {
        let health = health.load(Ordering::SeqCst);
        async move { health }
    });
    let _well = consul.register(orders(2), healthy);
    let mut watch = consul.watch("orders");
    until(&mut watch, &[endpoint(1), endpoint(2)]).await;
    is_healthy.store(false, Ordering::SeqCst);
    until(&mut watch, &[endpoint(2)]).await;
    is_healthy.store(true, Ordering::SeqCst);
    until(&mut watch, &[endpoint(1), endpoint(2)]).await;
}

#[tokio::test]
async fn health_that_does_not_answer_is_none() {
    let agent = agent(Agent::start());
    let consul = consul(&agent);
    let _hanging = consul.register(orders(1), std::future::pending::<bool>);
    let critical = async {
        while !ask(&agent, "GET", "/v1/health/checks/orders").contains(r#""Status":"critical""#) {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), critical).await.unwrap();
}

#[tokio::test]
async fn an_instance_that_the_agent_forgot_registers_again() {
    let agent = agent(Agent::start());
    let consul = consul(&agent);
    let _registration = consul.register(orders(1), healthy);
    is_found(&consul, 1).await;
    ask(&agent, "PUT", "/v1/agent/service/deregister/orders-10.0.0.1-1");
    until(&mut consul.watch("orders"), &[]).await;
    is_found(&consul, 1).await;
}
