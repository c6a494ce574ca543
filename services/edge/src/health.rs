//! `grpc.health.v1` for all domains, as they report of themselves.
//!
//! Each domain is asked every other second. One that does not answer does not serve; the edge as a whole
//! serves while all of them do.

use std::time::Duration;

use futures_util::future::join_all;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response, health_client::HealthClient},
    server::HealthReporter,
};
use weft_call::{Contract, ServiceContract};
use weft_transport::Upstreams;

const INTERVAL: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// Says of every service that it does not serve, until it was asked.
pub(crate) async fn begin(reporter: &HealthReporter, contracts: &[&'static Contract]) {
    reporter.set_service_status("", ServingStatus::NotServing).await;
    for service in contracts.iter().flat_map(|contract| contract.services) {
        reporter.set_service_status(service.name, ServingStatus::NotServing).await;
    }
}

/// Keeps asking the domains, for as long as the edge runs.
pub(crate) async fn keep_asking(reporter: HealthReporter, contracts: Vec<&'static Contract>, upstreams: Upstreams) {
    let services: Vec<_> = contracts.iter().flat_map(|contract| contract.services).collect();
    loop {
        let all = join_all(services.iter().map(|service| ask(&reporter, service, &upstreams))).await;
        reporter.set_service_status("", status(all.into_iter().all(|serves| serves))).await;
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Asks one service, reports what it says, and tells whether it serves.
async fn ask(reporter: &HealthReporter, service: &'static ServiceContract, upstreams: &Upstreams) -> bool {
    let upstreams = upstreams.clone();
    let domain = tower::service_fn(move |request| {
        let upstreams = upstreams.clone();
        async move { upstreams.send(service.domain, request).await }
    });
    let mut client = HealthClient::new(domain);
    let question = client.check(HealthCheckRequest { service: service.name.to_owned() });
    let serves = match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => answer.into_inner().status() == health_check_response::ServingStatus::Serving,
        Ok(Err(_)) | Err(_) => false,
    };
    reporter.set_service_status(service.name, status(serves)).await;
    serves
}

fn status(serves: bool) -> ServingStatus {
    if serves { ServingStatus::Serving } else { ServingStatus::NotServing }
}
