//! Every statement of the catalog.
//!
//! A product is read in one statement together with its variants: each has one at least, so a join
//! loses none.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_mesh::{
    Deletion,
    store::{Json, Read, StoreError, Tx, filter::Page, statements},
};

use crate::{
    error::CatalogError,
    listing::pattern,
    price::Price,
    product::{Content, Product, Variant},
};

/// The columns of a product as `p`.
macro_rules! product_columns {
    () => {
        "p.id AS id, p.name AS name, p.description, p.create_time AS create_time, p.update_time AS update_time, p.version, \
         p.delete_time, p.purge_time, "
    };
}

/// The columns of a variant.
macro_rules! variant_columns {
    () => {
        "tenant_id, id, product_id, position, sku, name, currency_code, minor_units"
    };
}

/// Products that are not deleted, in `p`, with their variants.
macro_rules! visible {
    ($products:expr, $behind:expr) => {
        concat!(
            "SELECT ",
            product_columns!(),
            "v.id AS variant_id, v.sku, v.name AS variant_name, v.currency_code, v.minor_units FROM ",
            $products,
            " AS p JOIN variants AS v ON v.tenant_id = p.tenant_id AND v.product_id = p.id ",
            $behind,
            " v.position"
        )
    };
}

/// Products, deleted or not, in `p`, with their variants: each has all of them in one place or all in the other.
macro_rules! any {
    ($products:expr, $behind:expr) => {
        concat!(
            "SELECT ",
            product_columns!(),
            "COALESCE(v.id, d.id) AS variant_id, COALESCE(v.sku, d.sku) AS sku, COALESCE(v.name, d.name) AS variant_name, \
             COALESCE(v.currency_code, d.currency_code) AS currency_code, COALESCE(v.minor_units, d.minor_units) AS minor_units \
             FROM ",
            $products,
            " AS p LEFT JOIN variants AS v ON v.tenant_id = p.tenant_id AND v.product_id = p.id \
             LEFT JOIN deleted_variants AS d ON d.tenant_id = p.tenant_id AND d.product_id = p.id ",
            $behind,
            " COALESCE(v.position, d.position)"
        )
    };
}

/// A page of products: `$2` pattern, `$3` how many; what is sought is filled in.
macro_rules! page {
    ($which:literal) => {
        concat!(
            "(SELECT * FROM products WHERE tenant_id = $1 AND search_name LIKE $2 ESCAPE '!' AND ",
            $which,
            "/*conditions*/ ORDER BY /*order*/id LIMIT $3)"
        )
    };
}

/// The products whose time is over, some at a time.
macro_rules! purged {
    () => {
        "(SELECT tenant_id, id FROM products WHERE purge_time <= $1 ORDER BY purge_time, tenant_id, id LIMIT 500)"
    };
}

/// Products that one run of [`PURGE_PRODUCTS`] purges at most.
pub(crate) const PURGE_BATCH: u64 = 500;

statements! {
    GET_PRODUCT = visible!("products", "WHERE p.tenant_id = $1 AND p.id = $2 ORDER BY");
    /// Deleted or not.
    GET_ANY_PRODUCT = any!("products", "WHERE p.tenant_id = $1 AND p.id = $2 ORDER BY");
    LIST_PRODUCTS = visible!(page!("purge_time IS NULL"), "ORDER BY /*order*/id,");
    /// `$4` is when: what is deleted and purged by then, or should be, is not listed.
    LIST_ANY_PRODUCTS = any!(page!("(purge_time IS NULL OR purge_time > $4)"), "ORDER BY /*order*/id,");
    INSERT_PRODUCT =
        "INSERT INTO products (tenant_id, id, name, description, search_name, sort_name, create_time, update_time, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    UPDATE_PRODUCT =
        "UPDATE products SET name = $3, description = $4, search_name = $5, sort_name = $6, update_time = $7, version = $8 \
         WHERE tenant_id = $1 AND id = $2";
    SET_DELETION =
        "UPDATE products SET update_time = $3, version = $4, delete_time = $5, purge_time = $6 WHERE tenant_id = $1 AND id = $2";
    SET_VARIANTS_ASIDE = concat!(
        "INSERT INTO deleted_variants (", variant_columns!(), ") \
         SELECT ", variant_columns!(), " FROM variants WHERE tenant_id = $1 AND product_id = $2"
    );
    FORGET_VARIANTS_ASIDE = "DELETE FROM deleted_variants WHERE tenant_id = $1 AND product_id = $2";
    /// Runs before [`PURGE_PRODUCTS`], for the same products.
    system PURGE_VARIANTS = concat!(
        "DELETE FROM deleted_variants WHERE (tenant_id, product_id) IN ", purged!()
    );
    system PURGE_PRODUCTS = concat!("DELETE FROM products WHERE (tenant_id, id) IN ", purged!());
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
    delete_time: Option<DateTime<Utc>>,
    purge_time: Option<DateTime<Utc>>,
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

/// The product with this id, unless it is deleted: the variants of those stand elsewhere.
pub(crate) async fn get(read: &Read, id: Uuid) -> Result<Product, CatalogError> {
    let rows = read.run(&GET_PRODUCT).bind(id).fetch_all::<ProductRow>().await?;
    products(rows).pop().ok_or(CatalogError::ProductNotFound)
}

/// The product with this id, deleted or not.
pub(crate) async fn get_any(read: &Read, id: Uuid) -> Result<Product, CatalogError> {
    let rows = read.run(&GET_ANY_PRODUCT).bind(id).fetch_all::<ProductRow>().await?;
    products(rows).pop().ok_or(CatalogError::ProductNotFound)
}

/// At most `limit` products of a page, those whose name contains `search`; those that are deleted too, if it is said when that is.
pub(crate) async fn list(
    read: &Read,
    search: &str,
    page: &Page,
    deleted_at: Option<DateTime<Utc>>,
    limit: usize,
) -> Result<Vec<Product>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let run = match deleted_at {
        None => read.run(&LIST_PRODUCTS).bind(pattern(search)).bind(limit),
        Some(now) => read.run(&LIST_ANY_PRODUCTS).bind(pattern(search)).bind(limit).bind(now),
    };
    Ok(products(run.seek(page).fetch_all::<ProductRow>().await?))
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

/// Marks a product as deleted and sets its variants aside.
pub(crate) async fn delete(tx: &Tx, deleted: &Product) -> Result<(), StoreError> {
    set_deletion(tx, deleted).await?;
    tx.run(&SET_VARIANTS_ASIDE).bind(deleted.id).execute().await?;
    tx.run(&DELETE_VARIANTS).bind(deleted.id).execute().await?;
    Ok(())
}

/// Brings a product back with its variants.
pub(crate) async fn undelete(tx: &Tx, product: &Product) -> Result<(), CatalogError> {
    set_deletion(tx, product).await?;
    tx.run(&FORGET_VARIANTS_ASIDE).bind(product.id).execute().await?;
    insert_variants(tx, product).await
}

async fn set_deletion(tx: &Tx, product: &Product) -> Result<(), StoreError> {
    let run = tx.run(&SET_DELETION).bind(product.id).bind(product.update_time).bind(product.version);
    let run = run.bind(product.deletion.map(|deletion| deletion.delete_time));
    run.bind(product.deletion.map(|deletion| deletion.purge_time)).execute().await?;
    Ok(())
}

/// Purges some of the products whose time is over, of all tenants; how many.
pub(crate) async fn purge(tx: &Tx, now: DateTime<Utc>) -> Result<u64, StoreError> {
    tx.run(&PURGE_VARIANTS).bind(now).execute().await?;
    tx.run(&PURGE_PRODUCTS).bind(now).execute().await
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
                deletion: Deletion::from_columns(row.delete_time, row.purge_time),
            }),
        }
    }
    products
}
