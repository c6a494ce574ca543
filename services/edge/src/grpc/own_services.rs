//! The services that the edge itself answers: reflection and health.

use weft_call::Contract;

use crate::error::EdgeError;

/// Reflection for all contracts, in both versions, and the health that is reported.
#[derive(Clone, Debug)]
pub(crate) struct OwnServices(tonic::service::Routes);

impl OwnServices {
    pub(crate) fn new(
        contracts: &[&'static Contract],
        health: tonic_health::pb::health_server::HealthServer<tonic_health::server::HealthService>,
    ) -> Result<Self, EdgeError> {
        let describe = || {
            let all = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
            contracts.iter().fold(all, |all, contract| all.register_encoded_file_descriptor_set(contract.descriptor_set))
        };
        let mut routes = tonic::service::Routes::new(health);
        routes = routes.add_service(describe().build_v1()?);
        routes = routes.add_service(describe().build_v1alpha()?);
        Ok(Self(routes))
    }

    pub(crate) fn serves(path: &str) -> bool {
        ["/grpc.health.v1.", "/grpc.reflection."].iter().any(|package| path.starts_with(package))
    }

    pub(crate) fn routes(&self) -> tonic::service::Routes {
        self.0.clone()
    }
}
