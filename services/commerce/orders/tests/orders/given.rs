//! What tests start from.

use weft_contracts_catalog::{CatalogClient, CreateProductRequest, Product, Variant};
use weft_contracts_orders::{CreateOrderRequest, GetOrderRequest, ListOrdersRequest, Order, OrderedVariant, OrdersClient};
use weft_contracts_type::Money;
use weft_mesh::{Error, TenantId};
use weft_testkit::{Backend, Caller, Mesh};

/// A running catalog and orders, with staff and a customer of one tenant.
pub(crate) struct Shop {
    pub(crate) mesh: Mesh,
    pub(crate) catalog: CatalogClient,
    pub(crate) orders: OrdersClient,
    pub(crate) tenant: TenantId,
    pub(crate) staff: Caller,
    pub(crate) customer: Caller,
}

impl Shop {
    pub(crate) async fn open(backend: Backend) -> Self {
        let mesh = Mesh::of([weft_catalog::domain(), weft_orders::domain()]).start(backend).await;
        let (catalog, orders, tenant) = (mesh.client(), mesh.client(), mesh.tenant());
        let (staff, customer) = (mesh.user(tenant, "staff"), mesh.user(tenant, "customer"));
        Self { mesh, catalog, orders, tenant, staff, customer }
    }

    /// Another customer of the tenant.
    pub(crate) fn neighbour(&self) -> Caller {
        self.mesh.user(self.tenant, "customer")
    }

    /// Puts a product with one variant into the catalog, priced in euro cents.
    pub(crate) async fn sell(&self, name: &str, minor_units: i64) -> Product {
        self.sell_in("EUR", name, minor_units).await
    }

    pub(crate) async fn sell_in(&self, currency: &str, name: &str, minor_units: i64) -> Product {
        let price = Money { currency_code: currency.to_owned(), minor_units };
        let variant = Variant { sku: name.to_owned(), name: "blue".to_owned(), price: Some(price), ..Variant::default() };
        let product = Product { name: name.to_owned(), variants: vec![variant], ..Product::default() };
        let request = CreateProductRequest { product: Some(product) };
        self.catalog.create_product(&self.staff.call(), request).await.unwrap().into_message()
    }

    /// Orders as `who`.
    pub(crate) async fn order(&self, who: &Caller, lines: &[(&Product, i32)]) -> Result<Order, Error> {
        Ok(self.orders.create_order(&who.call(), ordering(lines)).await?.into_message())
    }

    pub(crate) async fn get(&self, who: &Caller, id: &str) -> Result<Order, Error> {
        Ok(self.orders.get_order(&who.call(), GetOrderRequest { id: id.to_owned() }).await?.into_message())
    }

    /// The first page of what `who` can see.
    pub(crate) async fn list(&self, who: &Caller) -> Vec<Order> {
        self.orders.list_orders(&who.call(), ListOrdersRequest::default()).await.unwrap().into_message().orders
    }
}

/// A request for the only variant of each product.
pub(crate) fn ordering(lines: &[(&Product, i32)]) -> CreateOrderRequest {
    let line = |(product, quantity): &(&Product, i32)| OrderedVariant {
        variant_id: product.variants[0].id.clone(),
        quantity: *quantity,
    };
    CreateOrderRequest { lines: lines.iter().map(line).collect(), note: String::new() }
}

/// The fields that an error names.
pub(crate) fn fields(error: &Error) -> Vec<&str> {
    error.violations().iter().map(|violation| violation.field.as_str()).collect()
}
