//! Orders: placed at catalog prices, exactly once.
//!
//! A customer says what and how many; names and prices are looked up in the catalog at that moment
//! and copied into the order, where they never change. Customers see their own orders, staff all of
//! the tenant.

mod error;
mod listing;
mod offer;
mod order;
mod reach;
mod service;
mod store;

use weft_contracts_catalog::CatalogClient;
use weft_contracts_orders::OrdersContract;
use weft_mesh::{Domain, migrations};

use crate::service::Orders;

/// The orders domain.
pub fn domain() -> Domain {
    Domain::new::<OrdersContract>()
        .migrations(migrations!())
        .statements(store::STATEMENTS)
        .serve(|cx| Orders::new(cx.store(), cx.client::<CatalogClient>()))
        .erase(store::erase)
        .build()
}
