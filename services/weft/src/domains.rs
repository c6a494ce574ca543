//! The domains of this repository and their ports: the one table of both.

use weft::Domain;

/// Every domain, with the port that it listens on unless the configuration says another.
pub(crate) fn domains() -> Vec<Domain> {
    vec![weft_auth::domain().port(8081), weft_catalog::domain().port(8090), weft_orders::domain().port(8091)]
}
