//! Products, their variants and prices.
//!
//! A tenant's catalog: what is sold ([`Product`](weft_contracts_catalog::Product)), in which forms, for how much. Orders
//! look variants up here and copy what they need, so nothing of a product is kept for their sake. One that is
//! deleted can be undeleted until it is purged, as the contract says.

mod error;
mod fields;
mod listing;
mod price;
mod product;
mod service;
mod store;

use weft_contracts_catalog::CatalogContract;
use weft_mesh::{Domain, hours, migrations};

use crate::service::Catalog;

/// The catalog domain.
pub fn domain() -> Domain {
    Domain::new::<CatalogContract>()
        .migrations(migrations!())
        .statements(store::STATEMENTS)
        .serve(|cx| Catalog::new(cx.store()))
        .every("purge_products", hours(1), Catalog::purge)
        .build()
}
