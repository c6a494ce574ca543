//! How products are listed: those that a filter wants (AIP-160), in the order that is asked for (AIP-132), a page at a time.
//!
//! A page begins behind the last product of the page before it (keyset paging), so that products
//! which come and go in between neither repeat others nor hide them.

use weft_mesh::store::filter::{Field, Kind, List, Place, Value};

use crate::product::Product;

/// The list, with its fields as the contract says them.
pub(crate) static LIST: List = List {
    fields: &[
        // Names are sorted by the beginning of their lower case.
        Field { name: "name", kind: Kind::Text, place: Place::Column("name"), order: Some("sort_name") },
        sorting("create_time"),
        sorting("update_time"),
        Field { name: "delete_time", kind: Kind::Time, place: Place::Nullable("delete_time"), order: None },
        of_variants("variants.id", Kind::Uuid, "v.id"),
        of_variants("variants.sku", Kind::Text, "v.sku"),
    ],
    default_order: "create_time",
};

const fn sorting(column: &'static str) -> Field {
    Field { name: column, kind: Kind::Time, place: Place::Column(column), order: Some(column) }
}

const fn of_variants(name: &'static str, kind: Kind, column: &'static str) -> Field {
    let select = "SELECT 1 FROM variants AS v WHERE v.tenant_id = products.tenant_id AND v.product_id = products.id";
    Field { name, kind, place: Place::Rows { select, column }, order: None }
}

/// What of a product says where it stands in the list.
pub(crate) fn value(product: &Product, field: &str) -> Value {
    match field {
        "name" => Value::Bytes(product.content.sort_name()),
        "create_time" => Value::Time(product.create_time),
        "update_time" => Value::Time(product.update_time),
        _ => Value::Uuid(product.id),
    }
}

/// The permission without which deleted products are not listed.
pub(crate) const SHOW_DELETED: &str = "catalog.products.undelete";

/// What a page token is bound to beside the tenant, the filter and the order: with another search it is refused.
pub(crate) fn name(search: &str, show_deleted: bool) -> String {
    let which = if show_deleted { "all products" } else { "products" };
    format!("{which} with {search:?}")
}

/// The `LIKE` pattern, with `!` as its escape, of the names that contain `search`.
pub(crate) fn pattern(search: &str) -> String {
    let mut pattern = String::from("%");
    for letter in search.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::product::Content;

    #[test]
    fn a_search_means_its_letters_and_no_wildcard() {
        assert_eq!(pattern(""), "%%");
        assert_eq!(pattern("100% Wool_!"), "%100!% wool!_!!%");
    }

    #[test]
    fn tokens_of_different_lists_are_bound_to_different_texts() {
        assert_ne!(name("a", false), name("b", false));
        assert_ne!(name("a", false), name("a", true));
    }

    #[test]
    fn the_largest_place_fits_a_page_token() {
        let content = Content { name: "\"".repeat(200), description: String::new(), variants: Vec::new() };
        let time = DateTime::<Utc>::MAX_UTC;
        let product = Product { id: Uuid::max(), content, create_time: time, update_time: time, version: 1, deletion: None };
        let sought = LIST.seek("", "name, create_time, update_time desc").unwrap();
        let place = sought.place(|field| value(&product, field));
        assert!(sought.page(Some(&place)).is_ok());
        assert!(serde_json::to_vec(&place).unwrap().len() < 700);
    }
}
