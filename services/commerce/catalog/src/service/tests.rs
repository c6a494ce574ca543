//! What cannot be seen in a mesh: products a month after their deletion, when the mesh's certificates have ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tempfile::TempDir;
use weft_contracts_catalog::{Catalog as _, CatalogReason};
use weft_mesh::{
    CallBuilder, Clock, Permissions, Scope, TenantId,
    store::{Databases, Settings},
};

use super::*;
use crate::price::Price;

const DAY: Duration = Duration::from_hours(24);

/// The handler on a database of its own.
struct Given {
    catalog: Catalog,
    clock: Clock,
    tenant: TenantId,
    _folder: TempDir,
}

impl Given {
    async fn on_both() -> [Self; 2] {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let url = weft_test_postgres::database().await.unwrap_or_else(|error| panic!("{error}"));
        let (sqlite, postgres) = (Settings::sqlite(one.path()), Settings::postgres(url.to_string().into()));
        [Self::on(sqlite, one).await, Self::on(postgres, two).await]
    }

    async fn on(settings: Settings, folder: TempDir) -> Self {
        let (databases, domain) = (Databases::open(&settings).await.unwrap(), crate::domain());
        databases.migrate(domain.schema()).await.unwrap();
        let catalog = Catalog::new(databases.store(domain.schema()).await.unwrap());
        let clock = Clock::manual(Clock::system().now());
        Self { catalog, clock, tenant: TenantId(Uuid::now_v7()), _folder: folder }
    }

    fn call_in(&self, scope: Scope) -> Call {
        let mut parts = CallBuilder::new(self.clock.clone());
        (parts.scope, parts.permissions) = (scope, Permissions::all());
        parts.build()
    }

    fn call(&self) -> Call {
        self.call_in(Scope::Tenant(self.tenant))
    }

    async fn create(&self, sku: &str) -> contract::Product {
        let price = Some(Price { currency_code: "EUR".to_owned(), minor_units: 100 }.into());
        let variant = contract::Variant { sku: sku.to_owned(), price, ..contract::Variant::default() };
        let product = contract::Product { name: sku.to_owned(), variants: vec![variant], ..contract::Product::default() };
        let request = contract::CreateProductRequest { product: Some(product) };
        self.catalog.create_product(&self.call(), request).await.unwrap().into_message()
    }

    async fn delete(&self, product: &contract::Product) {
        let request = contract::DeleteProductRequest { id: product.id.clone(), etag: String::new() };
        self.catalog.delete_product(&self.call(), request).await.unwrap();
    }

    async fn undelete(&self, product: &contract::Product) -> Result<contract::Product> {
        let request = contract::UndeleteProductRequest { id: product.id.clone(), etag: String::new() };
        self.catalog.undelete_product(&self.call(), request).await.map(Reply::into_message)
    }

    /// The names of all products, deleted ones included.
    async fn shown(&self) -> Vec<String> {
        let request = contract::ListProductsRequest { show_deleted: true, ..contract::ListProductsRequest::default() };
        let products = self.catalog.list_products(&self.call(), request).await.unwrap().into_message().products;
        products.into_iter().map(|product| product.name).collect()
    }

    /// The product as the store has it, whatever its time.
    async fn is_stored(&self, product: &contract::Product) -> bool {
        let id = product.id.parse().unwrap();
        let get = async |read: Read| Ok(store::get_any(&read, id).await?);
        self.catalog.store.read(&self.call(), get).await.is_ok()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_purged_when_its_time_is_over() {
    for given in Given::on_both().await {
        let (first, second, kept) = (given.create("first").await, given.create("second").await, given.create("kept").await);
        given.delete(&first).await;
        given.clock.advance(10 * DAY);
        given.delete(&second).await;
        given.clock.advance(20 * DAY);
        // As good as purged, before the job has run too.
        assert_eq!(given.shown().await, ["second", "kept"]);
        assert_eq!(given.undelete(&first).await.unwrap_err().reason(), Some(CatalogReason::ProductNotFound));
        assert!(given.is_stored(&first).await);
        let job = given.call_in(Scope::System("a job"));
        given.catalog.purge(&job).await.unwrap();
        assert!(!given.is_stored(&first).await);
        assert!(given.is_stored(&second).await && given.is_stored(&kept).await);
        given.undelete(&second).await.unwrap();
        given.clock.advance(100 * DAY);
        given.catalog.purge(&given.call_in(Scope::System("a job"))).await.unwrap();
        assert_eq!(given.shown().await, ["second", "kept"]);
    }
}
