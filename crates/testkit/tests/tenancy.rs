//! Every mesh of every test holds its domains' statements to their tenant.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use weft_contracts_catalog::{CatalogClient, ListProductsRequest};
use weft_mesh::store::{Authority, Dialect, Statement, Watch};
use weft_testkit::{Backend, Mesh};

/// What a domain's author might write.
static FORGETFUL: Statement = Statement::new("FORGETFUL", Authority::Tenant, SELECT, SELECT);
const SELECT: &str = "SELECT name FROM products WHERE id = $1";

async fn a_statement_without_its_tenant_fails_the_test_that_ran_it(backend: Backend) {
    let mesh = Mesh::of([weft_catalog::domain()]).start(backend).await;
    let staff = mesh.user(mesh.tenant(), "staff");
    mesh.client::<CatalogClient>().list_products(&staff.call(), ListProductsRequest::default()).await.unwrap();
    let checked = mesh.tenancy().checked();
    assert!(checked > 0 && mesh.tenancy().faults().is_empty(), "{checked}: {:?}", mesh.tenancy().faults());

    let dialect = if backend == Backend::Sqlite { Dialect::Sqlite } else { Dialect::Postgres };
    mesh.tenancy().runs("catalog", &FORGETFUL, dialect);
    let ended = catch_unwind(AssertUnwindSafe(|| drop(mesh))).unwrap_err();
    let told = ended.downcast_ref::<String>().unwrap();
    assert!(told.contains("FORGETFUL of catalog: it leaves products open to all tenants"), "{told}");
}

weft_testkit::on_both!(a_statement_without_its_tenant_fails_the_test_that_ran_it);
