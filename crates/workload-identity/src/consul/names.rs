//! How Consul names a workload.

use crate::names::{NameMap, WorkloadName};
use crate::spiffe::SpiffeId;

/// Ids of the shape `spiffe://<cluster>.consul/ns/default/dc/<datacenter>/svc/<name>`, as Consul Connect issues them.
///
/// Any datacenter of the cluster counts: they share one authority and one list of services. Another namespace or
/// partition does not: there, someone else may own the name.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsulService;

impl NameMap for ConsulService {
    fn workload(&self, id: &SpiffeId) -> Option<WorkloadName> {
        let (datacenter, name) = id.path().strip_prefix("/ns/default/dc/")?.split_once("/svc/")?;
        if datacenter.contains('/') { None } else { name.parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_service_of_any_datacenter_has_its_name() {
        for datacenter in ["dc1", "east-2"] {
            let id = format!("spiffe://1b.consul/ns/default/dc/{datacenter}/svc/orders").parse().unwrap();
            assert_eq!(ConsulService.workload(&id), Some("orders".parse().unwrap()), "{id}");
        }
    }

    #[test]
    fn an_id_of_another_shape_has_no_name() {
        for path in [
            "",
            "/ns/other/dc/dc1/svc/orders",
            "/ap/default/ns/default/dc/dc1/svc/orders",
            "/ns/default/dc/dc1/svc/Orders",
            "/ns/default/dc/dc1/svc/orders/extra",
            "/ns/default/dc/dc1/extra/svc/orders",
            "/ns/default/dc/dc1/svc/svc/svc/orders",
            "/ns/default/dc/svc/orders",
            "/agent/client/dc/dc1/id/orders",
            "/gateway/mesh/dc/dc1",
            "/domain/orders",
        ] {
            let id = format!("spiffe://1b.consul{path}").parse().unwrap();
            assert_eq!(ConsulService.workload(&id), None, "{id}");
        }
    }
}
