//! Calls that are drawn: by either tenant, about what is its own or the other's.

use std::collections::BTreeMap;

use fastrand::Rng;
use weft_call::{Error, TenantId};
use weft_contracts_catalog::{
    CatalogClient, CreateProductRequest, DeleteProductRequest, GetProductRequest, ListProductsRequest, Product,
    UndeleteProductRequest, UpdateProductRequest, Variant,
};
use weft_contracts_orders::{
    CancelOrderRequest, CreateOrderRequest, GetOrderRequest, ListOrdersRequest, Order, OrderedVariant, OrdersClient,
};
use weft_contracts_type::Money;
use weft_testkit::{Caller, Mesh};

/// A tenant, and what it has made.
struct Side {
    staff: Caller,
    customer: Caller,
    products: Vec<Product>,
    orders: Vec<Order>,
}

/// A mesh with two tenants.
pub(crate) struct House {
    pub(crate) mesh: Mesh,
    sides: [Side; 2],
    /// Whose everything is, by its id.
    owners: BTreeMap<String, usize>,
    random: Rng,
    succeeded: usize,
    refused: usize,
    keys: u64,
}

impl House {
    pub(crate) fn open(mesh: Mesh, seed: u64) -> Self {
        let side = || {
            let tenant = mesh.tenant();
            let (staff, customer) = (mesh.user(tenant, "staff"), mesh.user(tenant, "customer"));
            Side { staff, customer, products: Vec::new(), orders: Vec::new() }
        };
        let sides = [side(), side()];
        Self { mesh, sides, owners: BTreeMap::new(), random: Rng::with_seed(seed), succeeded: 0, refused: 0, keys: 0 }
    }

    pub(crate) fn tenants(&self) -> [TenantId; 2] {
        [self.sides[0].staff.tenant(), self.sides[1].staff.tenant()]
    }

    pub(crate) fn staff(&self, side: usize) -> &Caller {
        &self.sides[side].staff
    }

    /// How many calls succeeded, and how many with what is the other's were refused.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.succeeded, self.refused)
    }

    pub(crate) fn is_of(&self, id: &str, side: usize) -> bool {
        self.owners.get(id) == Some(&side)
    }

    /// Sells something; its id.
    pub(crate) async fn sell(&self, side: usize, name: &str) -> String {
        self.create_product(side, name).await.unwrap().id
    }

    async fn create_product(&self, side: usize, name: &str) -> Result<Product, Error> {
        let price = Money { currency_code: "EUR".to_owned(), minor_units: 100 };
        // The same names on both sides: nothing that is unique is so for all tenants.
        let variant = Variant { sku: name.to_owned(), price: Some(price), ..Variant::default() };
        let product = Product { name: name.to_owned(), variants: vec![variant], ..Product::default() };
        let request = CreateProductRequest { product: Some(product) };
        let made = self.mesh.client::<CatalogClient>().create_product(&self.sides[side].staff.call(), request).await;
        made.map(weft_call::Reply::into_message)
    }

    /// One call, by either tenant, about something of either.
    pub(crate) async fn step(&mut self) {
        let (side, other) = (self.random.usize(0..2), self.random.usize(0..2));
        match self.random.u8(0..10) {
            0 | 1 => self.make_product(side).await,
            2 => self.make_order(side, other).await,
            3 | 4 => self.ask_for_product(side, other).await,
            5 => self.change_product(side, other).await,
            6 => self.ask_for_order(side, other).await,
            7 => self.cancel_order(side, other).await,
            8 => self.list_products(side, other).await,
            _ => self.list_orders(side, other).await,
        }
    }

    /// What is one's own may succeed; what is the other's must be refused.
    fn judge<T>(&mut self, what: &str, side: usize, other: usize, outcome: &Result<T, Error>) {
        match outcome {
            Ok(_) if side == other => self.succeeded += 1,
            Ok(_) => panic!("{what}: what is the other tenant's was given or changed"),
            Err(_) if side != other => self.refused += 1,
            // Something that was deleted or cancelled before.
            Err(_) => {}
        }
    }

    async fn make_product(&mut self, side: usize) {
        let name = format!("thing {}", self.random.u32(0..1_000_000));
        let product = self.create_product(side, &name).await.unwrap();
        self.succeeded += 1;
        self.owners.insert(product.id.clone(), side);
        self.owners.extend(product.variants.iter().map(|variant| (variant.id.clone(), side)));
        self.sides[side].products.push(product);
    }

    async fn make_order(&mut self, side: usize, other: usize) {
        let Some(product) = self.random.choice(&self.sides[other].products) else { return };
        let line = OrderedVariant { variant_id: product.variants[0].id.clone(), quantity: 1 };
        let request = CreateOrderRequest { lines: vec![line], note: String::new() };
        self.keys += 1;
        // The same keys on both sides.
        let call = self.sides[side].customer.key(&format!("key-{}", self.keys / 2));
        let made = self.mesh.client::<OrdersClient>().create_order(&call, request).await.map(weft_call::Reply::into_message);
        self.judge("CreateOrder", side, other, &made);
        if let Ok(order) = made {
            self.owners.insert(order.id.clone(), side);
            self.sides[side].orders.push(order);
        }
    }

    async fn ask_for_product(&mut self, side: usize, other: usize) {
        let Some(product) = self.random.choice(&self.sides[other].products) else { return };
        let request = GetProductRequest { id: product.id.clone() };
        let told = self.mesh.client::<CatalogClient>().get_product(&self.sides[side].customer.call(), request).await;
        self.judge("GetProduct", side, other, &told);
    }

    async fn change_product(&mut self, side: usize, other: usize) {
        let Some(product) = self.random.choice(&self.sides[other].products).cloned() else { return };
        let (catalog, call) = (self.mesh.client::<CatalogClient>(), self.sides[side].staff.call());
        let request = UndeleteProductRequest { id: product.id.clone(), etag: String::new() };
        if self.random.u8(0..3) == 0 {
            let outcome = catalog.undelete_product(&call, request).await;
            self.judge("UndeleteProduct", side, other, &outcome);
        } else if self.random.bool() {
            let changed = Product { name: "changed".to_owned(), etag: String::new(), ..product };
            let request = UpdateProductRequest { product: Some(changed), update_mask: None };
            let outcome = catalog.update_product(&call, request).await;
            self.judge("UpdateProduct", side, other, &outcome);
        } else {
            let outcome = catalog.delete_product(&call, DeleteProductRequest { id: product.id, etag: String::new() }).await;
            self.judge("DeleteProduct", side, other, &outcome);
        }
    }

    async fn ask_for_order(&mut self, side: usize, other: usize) {
        let Some(order) = self.random.choice(&self.sides[other].orders) else { return };
        let request = GetOrderRequest { id: order.id.clone() };
        // Staff see every order of their tenant.
        let told = self.mesh.client::<OrdersClient>().get_order(&self.sides[side].staff.call(), request).await;
        self.judge("GetOrder", side, other, &told);
    }

    async fn cancel_order(&mut self, side: usize, other: usize) {
        let Some(order) = self.random.choice(&self.sides[other].orders) else { return };
        let request = CancelOrderRequest { id: order.id.clone(), etag: String::new() };
        self.keys += 1;
        let call = self.sides[side].customer.key(&format!("key-{}", self.keys));
        let outcome = self.mesh.client::<OrdersClient>().cancel_order(&call, request).await;
        self.judge("CancelOrder", side, other, &outcome);
    }

    /// Lists by the token that was given to either.
    async fn list_products(&mut self, side: usize, other: usize) {
        let catalog = self.mesh.client::<CatalogClient>();
        let (show_deleted, filter) = (self.random.bool(), self.random.choice(["", "NOT name = none"]).unwrap_or_default());
        let filter = filter.to_owned();
        let first = ListProductsRequest { page_size: 2, show_deleted, filter, ..ListProductsRequest::default() };
        let given = catalog.list_products(&self.sides[other].staff.call(), first.clone()).await.unwrap().into_message();
        assert!(given.products.iter().all(|product| self.is_of(&product.id, other)), "ListProducts shows another tenant's");
        if given.next_page_token.is_empty() {
            return;
        }
        let request = ListProductsRequest { page_token: given.next_page_token, ..first };
        let next = catalog.list_products(&self.sides[side].staff.call(), request).await;
        self.judge("ListProducts by a token", side, other, &next);
        let next = next.map(|reply| reply.into_message().products).unwrap_or_default();
        assert!(next.iter().all(|product| self.is_of(&product.id, side)), "ListProducts shows another tenant's");
    }

    async fn list_orders(&mut self, side: usize, other: usize) {
        let orders = self.mesh.client::<OrdersClient>();
        let first = ListOrdersRequest { page_size: 1, ..ListOrdersRequest::default() };
        let given = orders.list_orders(&self.sides[other].staff.call(), first.clone()).await.unwrap().into_message();
        assert!(given.orders.iter().all(|order| self.is_of(&order.id, other)), "ListOrders shows another tenant's");
        if given.next_page_token.is_empty() {
            return;
        }
        let request = ListOrdersRequest { page_token: given.next_page_token, ..first };
        let next = orders.list_orders(&self.sides[side].staff.call(), request).await;
        self.judge("ListOrders by a token", side, other, &next);
        let next = next.map(|reply| reply.into_message().orders).unwrap_or_default();
        assert!(next.iter().all(|order| self.is_of(&order.id, side)), "ListOrders shows another tenant's");
    }
}
