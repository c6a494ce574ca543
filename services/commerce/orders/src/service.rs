//! Orders as their contract says: read the call, ask the catalog, apply the rule, write the store.

use uuid::Uuid;
use weft_contracts_catalog::{BatchGetVariantsRequest, CatalogClient};
use weft_contracts_orders as contract;
use weft_mesh::{
    Call, Error, Reply, Result,
    store::{Read, Store, Tx, etag, paging},
};

use crate::{
    error::OrdersError,
    listing::{self, LIST},
    offer::Offer,
    order::{Order, State, Wanted},
    reach::{self, Reach},
    store,
};

/// The handler of the contract.
#[derive(Debug)]
pub(crate) struct Orders {
    store: Store,
    catalog: CatalogClient,
}

impl Orders {
    pub(crate) fn new(store: Store, catalog: CatalogClient) -> Self {
        Self { store, catalog }
    }

    /// What the catalog says of the wanted variants, in their order.
    async fn offers(&self, call: &Call, wanted: &Wanted) -> Result<Vec<Offer>, OrdersError> {
        let ids = wanted.lines.iter().map(|line| line.variant_id.to_string()).collect();
        let answer = self.catalog.batch_get_variants(call, BatchGetVariantsRequest { ids }).await;
        let views = answer.map_err(OrdersError::from_catalog)?.into_message().variants;
        views.into_iter().map(Offer::read).collect()
    }
}

impl contract::Orders for Orders {
    async fn create_order(&self, call: &Call, request: contract::CreateOrderRequest) -> Result<Reply<contract::Order>> {
        let customer = call.user()?.id;
        let wanted = Wanted::check(request)?;
        // Before the write: a write may run again, and holds locks while it runs.
        let offers = self.offers(call, &wanted).await?;
        let order = Order::place(customer, wanted, offers, call.now())?;
        let write = async |tx: Tx| {
            store::insert(&tx, &order).await?;
            tx.audit(&resource(order.id), None, Some(&order.to_message()))?;
            tx.publish(&order.created()).await?;
            Ok(Reply::created(order.to_message(), format!("/api/v1/orders/{}", order.id)))
        };
        self.store.write(call, write).await
    }

    async fn get_order(&self, call: &Call, request: contract::GetOrderRequest) -> Result<Reply<contract::Order>> {
        let id = parse_id(&request.id)?;
        let reach = Reach::of(call, reach::READ_ALL)?;
        let order = self.store.read(call, async |read: Read| Ok(store::get(&read, id).await?)).await?;
        Ok(reach.admit(order)?.to_message().into())
    }

    async fn list_orders(
        &self,
        call: &Call,
        request: contract::ListOrdersRequest,
    ) -> Result<Reply<contract::ListOrdersResponse>> {
        let state = State::of_message(request.state());
        let reach = Reach::of(call, reach::READ_ALL)?;
        let sought = LIST.seek(&request.filter, &request.order_by)?;
        let (name, tokens) = (listing::name(state, reach), self.store.page_tokens());
        let page = tokens.page(call, &name, &sought, &request.page_token)?;
        let size = paging::size(request.page_size);
        // One more than the page holds tells whether there is another page.
        let read = async |read: Read| Ok(store::list(&read, reach, state, &page, size + 1).await?);
        let found = self.store.read(call, read).await?;
        let mut orders: Vec<_> = found.iter().map(Order::to_message).collect();
        orders.truncate(paging::fitting(&orders, size));
        let next_page_token = match found.get(..orders.len()).and_then(<[_]>::last) {
            Some(last) if orders.len() < found.len() => {
                tokens.behind(call, &name, &sought, |field| listing::value(last, field))?
            }
            Some(_) | None => String::new(),
        };
        Ok(contract::ListOrdersResponse { orders, next_page_token }.into())
    }

    async fn cancel_order(&self, call: &Call, request: contract::CancelOrderRequest) -> Result<Reply<contract::Order>> {
        let id = parse_id(&request.id)?;
        let reach = Reach::of(call, reach::CANCEL_ALL)?;
        let write = async |tx: Tx| {
            let current = reach.admit(store::get(&tx, id).await?)?;
            // What is cancelled is answered before the etag is looked at, so that a call whose answer
            // was lost can be sent again (RFC 9110 §13.1.1).
            let Some(cancelled) = current.cancel(call.now()) else {
                return Ok(current.to_message().into());
            };
            etag::check_with_field(call, &request.etag, current.version)?;
            store::update(&tx, &cancelled).await?;
            tx.audit(&resource(id), Some(&current.to_message()), Some(&cancelled.to_message()))?;
            tx.publish(&cancelled.cancelled()).await?;
            Ok(cancelled.to_message().into())
        };
        self.store.write(call, write).await
    }
}

/// As audit records name it.
fn resource(id: Uuid) -> String {
    format!("orders/{id}")
}

fn parse_id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::invalid_field("id", "must be a UUID"))
}
