//! The catalog as its contract says: read the call, apply the rule, write the store.

use std::collections::BTreeMap;

use uuid::Uuid;
use weft_contracts_catalog as contract;
use weft_contracts_type::Money;
use weft_mesh::{
    Call, FieldViolation, Reply, Result,
    store::{Read, Store, Tx, etag, paging},
};

use crate::{
    error::CatalogError,
    fields::Fields,
    listing::{self, LIST},
    product::Product,
    store::{self, VariantRow},
};

/// The handler of the contract.
#[derive(Debug)]
pub(crate) struct Catalog {
    store: Store,
}

impl Catalog {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Purges the products that can no longer be undeleted.
    pub(crate) async fn purge(&self, call: &Call) -> Result<()> {
        let batch = async |tx: Tx| Ok(store::purge(&tx, call.now()).await?);
        while self.store.transact(call, batch).await? == store::PURGE_BATCH {}
        Ok(())
    }
}

impl contract::Catalog for Catalog {
    async fn create_product(&self, call: &Call, request: contract::CreateProductRequest) -> Result<Reply<contract::Product>> {
        let product = Product::create(&request.product.unwrap_or_default(), call.now())?;
        let write = async |tx: Tx| {
            store::insert(&tx, &product).await?;
            tx.audit(&resource(product.id), None, Some(&product.to_message()))?;
            tx.publish(&product.created()).await?;
            Ok(Reply::created(product.to_message(), format!("/api/v1/products/{}", product.id)))
        };
        self.store.write(call, write).await
    }

    async fn get_product(&self, call: &Call, request: contract::GetProductRequest) -> Result<Reply<contract::Product>> {
        let id = parse_id(&request.id, "id")?;
        let product = self.store.read(call, async |read: Read| Ok(store::get(&read, id).await?)).await?;
        Ok(product.to_message().into())
    }

    async fn list_products(
        &self,
        call: &Call,
        request: contract::ListProductsRequest,
    ) -> Result<Reply<contract::ListProductsResponse>> {
        if request.show_deleted && !call.allows(listing::SHOW_DELETED) {
            return Err(CatalogError::DeletedHidden(listing::SHOW_DELETED).into());
        }
        let (search, deleted_at) = (request.search, request.show_deleted.then(|| call.now()));
        let sought = LIST.seek(&request.filter, &request.order_by)?;
        let (name, tokens) = (listing::name(&search, request.show_deleted), self.store.page_tokens());
        let page = tokens.page(call, &name, &sought, &request.page_token)?;
        let size = paging::size(request.page_size);
        // One more than the page holds tells whether there is another page.
        let read = async |read: Read| Ok(store::list(&read, &search, &page, deleted_at, size + 1).await?);
        let found = self.store.read(call, read).await?;
        let mut products: Vec<_> = found.iter().map(Product::to_message).collect();
        products.truncate(paging::fitting(&products, size));
        let next_page_token = match found.get(..products.len()).and_then(<[_]>::last) {
            Some(last) if products.len() < found.len() => {
                tokens.behind(call, &name, &sought, |field| listing::value(last, field))?
            }
            Some(_) | None => String::new(),
        };
        Ok(contract::ListProductsResponse { products, next_page_token }.into())
    }

    async fn update_product(&self, call: &Call, request: contract::UpdateProductRequest) -> Result<Reply<contract::Product>> {
        let wanted = request.product.unwrap_or_default();
        let id = parse_id(&wanted.id, "product.id")?;
        let fields = Fields::of(request.update_mask.as_ref(), &wanted)?;
        let write = async |tx: Tx| {
            let current = store::get(&tx, id).await?;
            let merged = fields.merge(current.to_message(), wanted.clone());
            // What is so already is answered before the etag is looked at, so that an update whose
            // answer was lost can be sent again (RFC 9110 §13.1.1).
            let Some(changed) = current.change(&merged, call.now())? else {
                return Ok(current.to_message().into());
            };
            etag::check_with_field(call, &wanted.etag, current.version)?;
            store::update(&tx, &changed).await?;
            tx.audit(&resource(id), Some(&current.to_message()), Some(&changed.to_message()))?;
            Ok(changed.to_message().into())
        };
        self.store.write(call, write).await
    }

    async fn delete_product(&self, call: &Call, request: contract::DeleteProductRequest) -> Result<Reply<()>> {
        let id = parse_id(&request.id, "id")?;
        let write = async |tx: Tx| {
            let current = store::get(&tx, id).await?;
            etag::check_with_field(call, &request.etag, current.version)?;
            let deleted = current.delete(call.now());
            store::delete(&tx, &deleted).await?;
            tx.audit(&resource(id), Some(&current.to_message()), Some(&deleted.to_message()))?;
            Ok(Reply::new(()))
        };
        self.store.write(call, write).await
    }

    async fn undelete_product(&self, call: &Call, request: contract::UndeleteProductRequest) -> Result<Reply<contract::Product>> {
        let id = parse_id(&request.id, "id")?;
        let write = async |tx: Tx| {
            let current = store::get_any(&tx, id).await?;
            let product = current.undelete(call.now())?;
            etag::check_with_field(call, &request.etag, current.version)?;
            store::undelete(&tx, &product).await?;
            tx.audit(&resource(id), Some(&current.to_message()), Some(&product.to_message()))?;
            Ok(product.to_message().into())
        };
        self.store.write(call, write).await
    }

    async fn batch_get_variants(
        &self,
        call: &Call,
        request: contract::BatchGetVariantsRequest,
    ) -> Result<Reply<contract::BatchGetVariantsResponse>> {
        let parse = |(index, id): (usize, &String)| parse_id(id, &format!("ids[{index}]"));
        let ids: Vec<Uuid> = request.ids.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        let found = self.store.read(call, async |read: Read| Ok(store::get_variants(&read, &ids).await?)).await?;
        let found: BTreeMap<_, _> = found.iter().map(|row| (row.id, row)).collect();
        let view = |id: &Uuid| found.get(id).map(|row| view(row)).ok_or(CatalogError::VariantNotFound(*id));
        let variants = ids.iter().map(view).collect::<Result<_, _>>()?;
        Ok(contract::BatchGetVariantsResponse { variants }.into())
    }
}

fn view(row: &VariantRow) -> contract::VariantView {
    let price = Money { currency_code: row.currency_code.clone(), minor_units: row.minor_units };
    let variant = contract::Variant { id: row.id.to_string(), sku: row.sku.clone(), name: row.name.clone(), price: Some(price) };
    contract::VariantView {
        variant: Some(variant),
        product_id: row.product_id.to_string(),
        product_name: row.product_name.clone(),
    }
}

/// As audit records name it.
fn resource(id: Uuid) -> String {
    format!("products/{id}")
}

fn parse_id(text: &str, field: &str) -> Result<Uuid, CatalogError> {
    Uuid::try_parse(text).map_err(|_| invalid(field, "must be a UUID"))
}

fn invalid(field: &str, must: &str) -> CatalogError {
    let violation = FieldViolation { field: field.to_owned(), description: must.to_owned(), rule: String::new() };
    CatalogError::Invalid(vec![violation])
}

#[cfg(test)]
mod tests;
