//! Every statement of the catalog.
//!
//! A product is read in one statement together with its variants: each has one at least, so a join
//! loses none.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_mesh::store::{Json, Read, StoreError, Tx, statements};

use crate::{
    error::CatalogError,
    listing::{Key, Order, Position, pattern},
    price::Price,
    product::{Content, Product, Variant},
};

macro_rules! product_columns {
    () => {
        "p.id, p.name, p.description, p.create_time, p.update_time, p.version, \
         v.id AS variant_id, v.sku, v.name AS variant_name, v.currency_code, v.minor_units"
    };
}

/// A page of products: `$2` pattern, `$3` and `$4` the position that it begins behind, `$5` how many.
macro_rules! page_by {
    ($key:literal, $behind:literal, $way:literal) => {
        concat!(
            "SELECT ",
            product_columns!(),
            " FROM (SELECT * FROM products \
             WHERE tenant_id = $1 AND search_name LIKE $2 ESCAPE '!' AND (",
            $key,
            ", id) ",
            $behind,
            " ($3, $4) \
             ORDER BY ",
            $key,
            $way,
            ", id",
            $way,
            " LIMIT $5) AS p \
             JOIN variants AS v ON v.tenant_id = p.tenant_id AND v.product_id = p.id \
             ORDER BY p.",
            $key,
            $way,
            ", p.id",
            $way,
            ", v.position"
        )
    };
}

statements! {
    GET_PRODUCT = concat!(
        "SELECT ", product_columns!(), " FROM products AS p \
         JOIN variants AS v ON v.tenant_id = p.tenant_id AND v.product_id = p.id \
         WHERE p.tenant_id = $1 AND p.id = $2 ORDER BY v.position"
    );
    LIST_BY_CREATE_TIME = page_by!("create_time", ">", "");
    LIST_BY_CREATE_TIME_DESC = page_by!("create_time", "<", " DESC");
    LIST_BY_NAME = page_by!("sort_name", ">", "");
    LIST_BY_NAME_DESC = page_by!("sort_name", "<", " DESC");
    INSERT_PRODUCT =
        "INSERT INTO products (tenant_id, id, name, description, search_name, sort_name, create_time, update_time, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    UPDATE_PRODUCT =
        "UPDATE products SET name = $3, description = $4, search_name = $5, sort_name = $6, update_time = $7, version = $8 \
         WHERE tenant_id = $1 AND id = $2";
    DELETE_PRODUCT = "DELETE FROM products WHERE tenant_id = $1 AND id = $2";
    /// Inserts nothing if the stock-keeping unit is taken.
    INSERT_VARIANT =
        "INSERT INTO variants (tenant_id, id, product_id, position, sku, name, currency_code, minor_units) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, sku) DO NOTHING";
    DELETE_VARIANTS = "DELETE FROM variants WHERE tenant_id = $1 AND product_id = $2";
    /// `$2` is a JSON array of ids without hyphens. SQLite keeps a UUID as its 16 bytes.
    GET_VARIANTS =
        postgres "SELECT v.id, v.product_id, p.name AS product_name, v.sku, v.name, v.currency_code, v.minor_units \
                  FROM variants AS v JOIN products AS p ON p.tenant_id = v.tenant_id AND p.id = v.product_id \
                  WHERE v.tenant_id = $1 AND v.id IN (SELECT CAST(wanted.id AS uuid) FROM jsonb_array_elements_text($2) AS wanted(id))"
        sqlite "SELECT v.id, v.product_id, p.name AS product_name, v.sku, v.name, v.currency_code, v.minor_units \
                FROM variants AS v JOIN products AS p ON p.tenant_id = v.tenant_id AND p.id = v.product_id \
                WHERE v.tenant_id = $1 AND v.id IN (SELECT unhex(value) FROM json_each($2))";
}

/// A variant with columns of its product.
#[derive(sqlx::FromRow)]
struct ProductRow {
    id: Uuid,
    name: String,
    description: String,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
    version: i64,
    variant_id: Uuid,
    sku: String,
    variant_name: String,
    currency_code: String,
    minor_units: i64,
}

/// A variant with what an order copies of its product.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct VariantRow {
    pub(crate) id: Uuid,
    pub(crate) product_id: Uuid,
    pub(crate) product_name: String,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) currency_code: String,
    pub(crate) minor_units: i64,
}

/// The product with this id.
pub(crate) async fn get(read: &Read, id: Uuid) -> Result<Product, CatalogError> {
    let rows = read.run(&GET_PRODUCT).bind(id).fetch_all::<ProductRow>().await?;
    products(rows).pop().ok_or(CatalogError::ProductNotFound)
}

/// At most `limit` products behind a position, those whose name contains `search`.
pub(crate) async fn list(
    read: &Read,
    search: &str,
    order: Order,
    behind: &Position,
    limit: usize,
) -> Result<Vec<Product>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let statement = match order {
        Order::CreateTime => &LIST_BY_CREATE_TIME,
        Order::CreateTimeDesc => &LIST_BY_CREATE_TIME_DESC,
        Order::Name => &LIST_BY_NAME,
        Order::NameDesc => &LIST_BY_NAME_DESC,
    };
    let run = read.run(statement).bind(pattern(search));
    let run = match &behind.key {
        Key::CreateTime(time) => run.bind(*time),
        Key::Name(name) => run.bind(name.clone().into_bytes()),
        // No UTF-8 text begins with this byte or a higher one.
        Key::BehindNames => run.bind(vec![0xff_u8]),
    };
    Ok(products(run.bind(behind.id).bind(limit).fetch_all::<ProductRow>().await?))
}

/// Adds a product.
pub(crate) async fn insert(tx: &Tx, product: &Product) -> Result<(), CatalogError> {
    let content = &product.content;
    tx.run(&INSERT_PRODUCT)
        .bind(product.id)
        .bind(content.name.clone())
        .bind(content.description.clone())
        .bind(content.search_name())
        .bind(content.sort_name().into_bytes())
        .bind(product.create_time)
        .bind(product.update_time)
        .bind(product.version)
        .execute()
        .await?;
    insert_variants(tx, product).await
}

/// Replaces a product. Its variants are removed first, so that two of them can swap their stock-keeping units.
pub(crate) async fn update(tx: &Tx, product: &Product) -> Result<(), CatalogError> {
    let content = &product.content;
    tx.run(&UPDATE_PRODUCT)
        .bind(product.id)
        .bind(content.name.clone())
        .bind(content.description.clone())
        .bind(content.search_name())
        .bind(content.sort_name().into_bytes())
        .bind(product.update_time)
        .bind(product.version)
        .execute()
        .await?;
    tx.run(&DELETE_VARIANTS).bind(product.id).execute().await?;
    insert_variants(tx, product).await
}

async fn insert_variants(tx: &Tx, product: &Product) -> Result<(), CatalogError> {
    for (position, variant) in (0_i64..).zip(&product.content.variants) {
        let inserted = tx
            .run(&INSERT_VARIANT)
            .bind(variant.id)
            .bind(product.id)
            .bind(position)
            .bind(variant.sku.clone())
            .bind(variant.name.clone())
            .bind(variant.price.currency_code.clone())
            .bind(variant.price.minor_units)
            .execute()
            .await?;
        if inserted == 0 {
            return Err(CatalogError::SkuTaken(variant.sku.clone()));
        }
    }
    Ok(())
}

/// Removes a product and its variants.
pub(crate) async fn delete(tx: &Tx, id: Uuid) -> Result<(), StoreError> {
    tx.run(&DELETE_VARIANTS).bind(id).execute().await?;
    tx.run(&DELETE_PRODUCT).bind(id).execute().await?;
    Ok(())
}

/// Those of the variants that exist, in no order.
pub(crate) async fn get_variants(read: &Read, ids: &[Uuid]) -> Result<Vec<VariantRow>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
    read.run(&GET_VARIANTS).bind(Json(ids)).fetch_all().await
}

/// Gathers rows that follow one another into their products.
fn products(rows: Vec<ProductRow>) -> Vec<Product> {
    let mut products: Vec<Product> = Vec::new();
    for row in rows {
        let price = Price { currency_code: row.currency_code, minor_units: row.minor_units };
        let variant = Variant { id: row.variant_id, sku: row.sku, name: row.variant_name, price };
        match products.last_mut() {
            Some(last) if last.id == row.id => last.content.variants.push(variant),
            Some(_) | None => products.push(Product {
                id: row.id,
                content: Content { name: row.name, description: row.description, variants: vec![variant] },
                create_time: row.create_time,
                update_time: row.update_time,
                version: row.version,
            }),
        }
    }
    products
}
