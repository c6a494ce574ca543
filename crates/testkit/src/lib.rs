//! A whole mesh inside a test: real ports, mutual TLS, transport and databases.
//!
//! ```text
//! async fn an_order_is_placed_at_catalog_prices(backend: Backend) {
//!     let mesh = Mesh::of([catalog::domain(), orders::domain()]).start(backend).await;
//!     let staff = mesh.user(mesh.tenant(), "staff");
//!     let order = mesh.client::<OrdersClient>().create_order(&staff.key("k-1"), request).await;
//! }
//! weft_testkit::on_both!(an_order_is_placed_at_catalog_prices);
//! ```
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod backend;
mod caller;
mod mesh;

pub use backend::Backend;
pub use caller::Caller;
pub use mesh::{Mesh, MeshBuilder};
pub use weft_test_tenancy::Tenancy;

/// What `on_both!` expands to stands on it.
#[doc(hidden)]
pub use tokio;
