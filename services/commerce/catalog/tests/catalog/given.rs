//! What tests start from.

use weft_contracts_catalog::{
    CatalogClient, CreateProductRequest, ListProductsRequest, ListProductsResponse, Product, UpdateProductRequest, Variant,
};
use weft_contracts_type::Money;
use weft_mesh::{Error, TenantId};
use weft_testkit::{Backend, Caller, Mesh};

/// A running catalog with somebody of one tenant who keeps it.
pub(crate) struct Shop {
    pub(crate) mesh: Mesh,
    pub(crate) catalog: CatalogClient,
    pub(crate) tenant: TenantId,
    pub(crate) staff: Caller,
}

impl Shop {
    pub(crate) async fn open(backend: Backend) -> Self {
        let mesh = Mesh::of([weft_catalog::domain()]).start(backend).await;
        let (catalog, tenant) = (mesh.client(), mesh.tenant());
        let staff = mesh.user(tenant, "staff");
        Self { mesh, catalog, tenant, staff }
    }

    /// Somebody with a role in another tenant.
    pub(crate) fn stranger(&self, role: &str) -> Caller {
        self.mesh.user(self.mesh.tenant(), role)
    }

    pub(crate) async fn create(&self, wanted: Product) -> Product {
        self.try_create(wanted).await.unwrap()
    }

    pub(crate) async fn try_create(&self, wanted: Product) -> Result<Product, Error> {
        let request = CreateProductRequest { product: Some(wanted) };
        Ok(self.catalog.create_product(&self.staff.call(), request).await?.into_message())
    }

    pub(crate) async fn update(&self, wanted: Product, paths: &[&str]) -> Result<Product, Error> {
        Ok(self.catalog.update_product(&self.staff.call(), change(wanted, paths)).await?.into_message())
    }

    pub(crate) async fn list(&self, request: ListProductsRequest) -> Result<ListProductsResponse, Error> {
        Ok(self.catalog.list_products(&self.staff.call(), request).await?.into_message())
    }
}

pub(crate) fn product(name: &str, skus: &[&str]) -> Product {
    let variants = skus.iter().map(|sku| variant(sku, 1250)).collect();
    Product { name: name.to_owned(), variants, ..Product::default() }
}

pub(crate) fn variant(sku: &str, minor_units: i64) -> Variant {
    let price = Money { currency_code: "EUR".to_owned(), minor_units };
    Variant { id: String::new(), sku: sku.to_owned(), name: String::new(), price: Some(price) }
}

/// A request to change what the paths name; without paths, what is set.
pub(crate) fn change(wanted: Product, paths: &[&str]) -> UpdateProductRequest {
    let paths: Vec<_> = paths.iter().map(|&path| path.to_owned()).collect();
    let update_mask = if paths.is_empty() { None } else { Some(prost_types::FieldMask { paths }) };
    UpdateProductRequest { product: Some(wanted), update_mask }
}

/// The fields that an error names.
pub(crate) fn fields(error: &Error) -> Vec<&str> {
    error.violations().iter().map(|violation| violation.field.as_str()).collect()
}

pub(crate) fn skus(product: &Product) -> Vec<&str> {
    product.variants.iter().map(|variant| variant.sku.as_str()).collect()
}
