//! The domains of this repository, their suites and their ports: the one table of all three.

use weft::Domain;

/// Every domain, with its suite and the port that it listens on unless the configuration says another.
pub(crate) fn domains() -> Vec<Domain> {
    vec![
        weft_auth::domain().suite("identity").port(8081),
        weft_catalog::domain().suite("commerce").port(8090),
        weft_orders::domain().suite("commerce").port(8091),
        weft_events_domain::domain().suite("automation").port(8110),
    ]
}
