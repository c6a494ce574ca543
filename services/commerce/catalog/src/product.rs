//! What a product is, and what it may become.
//!
//! A request is checked as a whole: every field that breaks a rule is named, at its path in the
//! request.

use std::{collections::BTreeSet, time::SystemTime};

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_contracts_catalog as contract;
use weft_mesh::{Deletion, FieldViolation, store::etag};

use crate::{error::CatalogError, price::Price};

/// Longest sorting key of a name, in bytes: page tokens carry it.
const SORT_LIMIT: usize = 128;

/// Something that a tenant sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: Uuid,
    pub(crate) content: Content,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) update_time: DateTime<Utc>,
    /// 1 when it is created, and one more with each change.
    pub(crate) version: i64,
    /// When it was deleted, if it is.
    pub(crate) deletion: Option<Deletion>,
}

/// What the tenant says of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) variants: Vec<Variant>,
}

/// One form in which a product is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) id: Uuid,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) price: Price,
}

impl Product {
    /// A new product.
    pub(crate) fn create(wanted: &contract::Product, now: DateTime<Utc>) -> Result<Self, CatalogError> {
        let content = Content::check(wanted, &[])?;
        Ok(Self { id: Uuid::now_v7(), content, create_time: now, update_time: now, version: 1, deletion: None })
    }

    /// The product with other content; `None` if it has that content already.
    pub(crate) fn change(&self, wanted: &contract::Product, now: DateTime<Utc>) -> Result<Option<Self>, CatalogError> {
        let content = Content::check(wanted, &self.content.variants)?;
        if content == self.content {
            return Ok(None);
        }
        Ok(Some(Self { content, update_time: now, version: self.version + 1, ..self.clone() }))
    }

    /// The product, deleted now.
    pub(crate) fn delete(&self, now: DateTime<Utc>) -> Self {
        let deletion = Some(Deletion::of::<contract::Product>(now));
        Self { update_time: now, version: self.version + 1, deletion, ..self.clone() }
    }

    /// The product as it was before it was deleted.
    pub(crate) fn undelete(&self, now: DateTime<Utc>) -> Result<Self, CatalogError> {
        match self.deletion {
            None => Err(CatalogError::ProductNotDeleted),
            // Nobody shall see how soon it is purged.
            Some(deletion) if deletion.is_over(now) => Err(CatalogError::ProductNotFound),
            Some(_) => Ok(Self { update_time: now, version: self.version + 1, deletion: None, ..self.clone() }),
        }
    }

    /// The product as the contract has it.
    pub(crate) fn to_message(&self) -> contract::Product {
        contract::Product {
            id: self.id.to_string(),
            name: self.content.name.clone(),
            description: self.content.description.clone(),
            variants: self.content.variants.iter().cloned().map(contract::Variant::from).collect(),
            create_time: Some(SystemTime::from(self.create_time).into()),
            update_time: Some(SystemTime::from(self.update_time).into()),
            etag: etag::of(self.version),
            delete_time: self.deletion.map(|deletion| SystemTime::from(deletion.delete_time).into()),
            purge_time: self.deletion.map(|deletion| SystemTime::from(deletion.purge_time).into()),
        }
    }

    /// The news of it.
    pub(crate) fn created(&self) -> contract::ProductCreated {
        let contract::Product { id, name, variants, create_time, .. } = self.to_message();
        contract::ProductCreated { product_id: id, name, variants, create_time }
    }
}

impl From<Variant> for contract::Variant {
    fn from(variant: Variant) -> Self {
        Self { id: variant.id.to_string(), sku: variant.sku, name: variant.name, price: Some(variant.price.into()) }
    }
}

impl Content {
    /// Checks what a request wants a product to be. A variant keeps its id if it says it, or if it
    /// keeps its stock-keeping unit; others are new.
    fn check(wanted: &contract::Product, existing: &[Variant]) -> Result<Self, CatalogError> {
        let mut violations = Vec::new();
        if wanted.name.trim().is_empty() {
            violations.push(violation("product.name", "must not be blank", "required"));
        }
        if wanted.name.chars().any(char::is_control) {
            violations.push(violation("product.name", "must not contain control characters", ""));
        }
        if wanted.variants.is_empty() {
            violations.push(violation("product.variants", "must hold at least one variant", "required"));
        }
        let ids = claimed_ids(&wanted.variants, existing, &mut violations)?;
        let mut variants = Vec::with_capacity(wanted.variants.len());
        let mut skus = BTreeSet::new();
        for (index, (variant, claimed)) in wanted.variants.iter().zip(&ids).enumerate() {
            let path = format!("product.variants[{index}]");
            if !skus.insert(variant.sku.as_str()) {
                violations.push(violation(format!("{path}.sku"), "must differ from those of the other variants", ""));
            }
            let id = claimed.unwrap_or_else(|| id_of_sku(&variant.sku, existing, &ids));
            variants.extend(check_variant(variant, id, &path, &mut violations));
        }
        if violations.is_empty() {
            Ok(Self { name: wanted.name.clone(), description: wanted.description.clone(), variants })
        } else {
            Err(CatalogError::Invalid(violations))
        }
    }

    /// The name as it is searched: in lower case.
    pub(crate) fn search_name(&self) -> String {
        self.name.to_lowercase()
    }

    /// The name as it is sorted: the beginning of its lower case.
    pub(crate) fn sort_name(&self) -> String {
        let mut name = self.name.to_lowercase();
        name.truncate(name.floor_char_boundary(SORT_LIMIT));
        name
    }
}

/// The ids that variants say. Each must be one of the product's own, and be said once.
fn claimed_ids(
    wanted: &[contract::Variant],
    existing: &[Variant],
    violations: &mut Vec<FieldViolation>,
) -> Result<Vec<Option<Uuid>>, CatalogError> {
    let mut claimed = Vec::with_capacity(wanted.len());
    for (index, variant) in wanted.iter().enumerate() {
        if variant.id.is_empty() {
            claimed.push(None);
            continue;
        }
        let path = format!("product.variants[{index}].id");
        match Uuid::try_parse(&variant.id) {
            Err(_) => violations.push(violation(path, "must be a UUID", "string.uuid")),
            Ok(id) if claimed.contains(&Some(id)) => {
                violations.push(violation(path, "must differ from those of the other variants", ""));
            }
            Ok(id) if existing.iter().any(|known| known.id == id) => {
                claimed.push(Some(id));
                continue;
            }
            Ok(_) if existing.is_empty() => violations.push(violation(path, "must be empty: ids are given, not chosen", "")),
            Ok(id) => return Err(CatalogError::VariantNotFound(id)),
        }
        claimed.push(None);
    }
    Ok(claimed)
}

/// The id of the existing variant with this stock-keeping unit that no other variant claims, or a new one.
fn id_of_sku(sku: &str, existing: &[Variant], claimed: &[Option<Uuid>]) -> Uuid {
    let same = existing.iter().find(|known| known.sku == sku && !claimed.contains(&Some(known.id)));
    same.map_or_else(Uuid::now_v7, |known| known.id)
}

fn check_variant(variant: &contract::Variant, id: Uuid, path: &str, violations: &mut Vec<FieldViolation>) -> Option<Variant> {
    if variant.sku.trim() != variant.sku || variant.sku.is_empty() || variant.sku.chars().any(char::is_control) {
        let must = "must neither be empty, begin or end with white space, nor contain control characters";
        violations.push(violation(format!("{path}.sku"), must, ""));
    }
    if variant.name.chars().any(char::is_control) {
        violations.push(violation(format!("{path}.name"), "must not contain control characters", ""));
    }
    let Some(price) = &variant.price else {
        violations.push(violation(format!("{path}.price"), "must be set", "required"));
        return None;
    };
    match Price::check(price) {
        Ok(price) => Some(Variant { id, sku: variant.sku.clone(), name: variant.name.clone(), price }),
        Err((field, must)) => {
            violations.push(violation(format!("{path}.price.{field}"), must, ""));
            None
        }
    }
}

fn violation(field: impl Into<String>, description: &str, rule: &str) -> FieldViolation {
    FieldViolation { field: field.into(), description: description.to_owned(), rule: rule.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use weft_contracts_type::Money;

    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn variant(sku: &str) -> contract::Variant {
        let price = Money { currency_code: "EUR".to_owned(), minor_units: 1250 };
        contract::Variant { id: String::new(), sku: sku.to_owned(), name: String::new(), price: Some(price) }
    }

    fn wanted(skus: &[&str]) -> contract::Product {
        let variants = skus.iter().map(|sku| variant(sku)).collect();
        contract::Product { name: "Shirt".to_owned(), variants, ..contract::Product::default() }
    }

    fn fields(result: Result<Product, CatalogError>) -> Vec<String> {
        match result {
            Err(CatalogError::Invalid(violations)) => violations.into_iter().map(|violation| violation.field).collect(),
            other => panic!("no violations: {other:?}"),
        }
    }

    #[test]
    fn a_product_without_name_or_variants_is_refused_with_both_named() {
        assert_eq!(fields(Product::create(&contract::Product::default(), NOW)), ["product.name", "product.variants"]);
        let blank = contract::Product { name: " \t".to_owned(), ..wanted(&["A"]) };
        assert_eq!(fields(Product::create(&blank, NOW)), ["product.name", "product.name"]);
    }

    #[test]
    fn every_wrong_field_of_a_variant_is_named_at_its_path() {
        let mut product = wanted(&["A", "A", " B", "C\u{1b}", "D", "E", "F"]);
        product.variants[4].price = None;
        product.variants[5].price.as_mut().unwrap().currency_code = "ABC".to_owned();
        product.variants[6].price.as_mut().unwrap().minor_units = -1;
        product.variants[6].name = "x\n".to_owned();
        let paths = [
            "product.variants[1].sku",
            "product.variants[2].sku",
            "product.variants[3].sku",
            "product.variants[4].price",
            "product.variants[5].price.currency_code",
            "product.variants[6].name",
            "product.variants[6].price.minor_units",
        ];
        assert_eq!(fields(Product::create(&product, NOW)), paths);
    }

    #[test]
    fn ids_are_given_and_not_chosen() {
        let mut product = wanted(&["A"]);
        product.variants[0].id = Uuid::now_v7().to_string();
        assert_eq!(fields(Product::create(&product, NOW)), ["product.variants[0].id"]);
        let given = Product::create(&contract::Product { id: "ignored".to_owned(), ..wanted(&["A"]) }, NOW).unwrap();
        assert_ne!(given.id.to_string(), "ignored");
    }

    #[test]
    fn variants_keep_their_id_by_id_and_by_sku() {
        let product = Product::create(&wanted(&["A", "B"]), NOW).unwrap();
        let [a, b] = [0, 1].map(|index: usize| product.content.variants[index].id);
        let mut change = wanted(&["B", "A2", "C"]);
        change.variants[1].id = a.to_string();
        let changed = product.change(&change, NOW).unwrap().unwrap();
        let ids: Vec<_> = changed.content.variants.iter().map(|variant| variant.id).collect();
        assert_eq!(ids[..2], [b, a]);
        assert!(ids[2] != a && ids[2] != b);
    }

    #[test]
    fn a_sku_moves_to_a_new_variant_if_its_old_one_takes_another() {
        let product = Product::create(&wanted(&["A"]), NOW).unwrap();
        let mut change = wanted(&["B", "A"]);
        change.variants[0].id = product.content.variants[0].id.to_string();
        let changed = product.change(&change, NOW).unwrap().unwrap();
        assert_eq!(changed.content.variants[0].id, product.content.variants[0].id);
        assert_ne!(changed.content.variants[1].id, product.content.variants[0].id);
    }

    #[test]
    fn a_variant_of_another_product_cannot_be_taken_over() {
        let (product, other) = (Product::create(&wanted(&["A"]), NOW).unwrap(), Uuid::now_v7());
        let mut change = wanted(&["A"]);
        change.variants[0].id = other.to_string();
        assert!(matches!(product.change(&change, NOW), Err(CatalogError::VariantNotFound(id)) if id == other));
    }

    #[test]
    fn one_id_for_two_variants_is_refused() {
        let product = Product::create(&wanted(&["A"]), NOW).unwrap();
        let mut change = wanted(&["A", "B"]);
        for variant in &mut change.variants {
            variant.id = product.content.variants[0].id.to_string();
        }
        let Err(CatalogError::Invalid(violations)) = product.change(&change, NOW) else { panic!("the change was made") };
        assert_eq!(violations[0].field, "product.variants[1].id");
    }

    #[test]
    fn only_a_change_makes_a_new_version() {
        let product = Product::create(&wanted(&["A", "B"]), NOW).unwrap();
        assert_eq!(product.change(&product.to_message(), NOW).unwrap(), None);
        assert_eq!(product.change(&wanted(&["A", "B"]), NOW).unwrap(), None);
        let changed = product.change(&wanted(&["B", "A"]), NOW).unwrap().unwrap();
        assert_eq!((product.version, changed.version), (1, 2));
        assert_ne!(product.to_message().etag, changed.to_message().etag);
    }

    #[test]
    fn a_product_can_be_undeleted_until_it_is_purged() {
        let product = Product::create(&wanted(&["A"]), NOW).unwrap();
        assert!(matches!(product.undelete(NOW), Err(CatalogError::ProductNotDeleted)));
        let deleted = product.delete(NOW);
        let days = |days| NOW + chrono::Duration::days(days);
        assert_eq!(deleted.to_message().purge_time, Some(SystemTime::from(days(30)).into()));
        assert!(matches!(deleted.undelete(days(30)), Err(CatalogError::ProductNotFound)));
        let again = deleted.undelete(days(29)).unwrap();
        assert_eq!((again.content, again.deletion, again.version), (product.content, None, 3));
    }

    #[test]
    fn the_sorting_key_is_short_whole_characters_in_lower_case() {
        let mut product = Product::create(&wanted(&["A"]), NOW).unwrap();
        product.content.name = format!("X{}", "\u{dc}".repeat(199));
        let key = product.content.sort_name();
        assert_eq!(key, format!("x{}", "\u{fc}".repeat(63)));
    }
}
