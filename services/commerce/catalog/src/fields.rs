//! Which fields an update changes (AIP-134, AIP-161).

use prost_types::FieldMask;
use weft_contracts_catalog::Product;

use crate::error::CatalogError;

/// Longest path that an error repeats, in characters.
const ECHO_LIMIT: usize = 64;

/// The fields of a product that an update sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    name: bool,
    description: bool,
    variants: bool,
}

impl Fields {
    /// The fields that a mask names; `*` names all. Without paths: those that are set in the product.
    pub(crate) fn of(mask: Option<&FieldMask>, product: &Product) -> Result<Self, CatalogError> {
        match mask {
            Some(mask) if !mask.paths.is_empty() => Self::named(mask),
            Some(_) | None => Ok(Self::set_in(product)),
        }
    }

    fn named(mask: &FieldMask) -> Result<Self, CatalogError> {
        let mut fields = Self::default();
        for path in &mask.paths {
            match path.as_str() {
                "*" => fields = Self { name: true, description: true, variants: true },
                "name" => fields.name = true,
                "description" => fields.description = true,
                "variants" => fields.variants = true,
                other => return Err(CatalogError::MaskPathUnknown(other.chars().take(ECHO_LIMIT).collect())),
            }
        }
        Ok(fields)
    }

    fn set_in(product: &Product) -> Self {
        Self {
            name: !product.name.is_empty(),
            description: !product.description.is_empty(),
            variants: !product.variants.is_empty(),
        }
    }

    /// The current product with these fields as `wanted` has them.
    pub(crate) fn merge(self, current: Product, wanted: Product) -> Product {
        let mut merged = current;
        if self.name {
            merged.name = wanted.name;
        }
        if self.description {
            merged.description = wanted.description;
        }
        if self.variants {
            merged.variants = wanted.variants;
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    fn product(name: &str, description: &str) -> Product {
        Product { name: name.to_owned(), description: description.to_owned(), ..Product::default() }
    }

    #[test]
    fn only_masked_fields_change_and_a_masked_empty_field_is_emptied() {
        let (current, wanted) = (product("old", "old text"), product("new", ""));
        let merge = |paths: &[&str]| Fields::of(Some(&mask(paths)), &wanted).unwrap().merge(current.clone(), wanted.clone());
        assert_eq!(merge(&["name"]), product("new", "old text"));
        assert_eq!(merge(&["description"]), product("old", ""));
        assert_eq!(merge(&["*"]), product("new", ""));
    }

    #[test]
    fn without_a_mask_the_fields_that_are_set_change() {
        let (current, wanted) = (product("old", "old text"), product("new", ""));
        for none in [None, Some(&mask(&[]))] {
            let merged = Fields::of(none, &wanted).unwrap().merge(current.clone(), wanted.clone());
            assert_eq!(merged, product("new", "old text"));
        }
    }

    #[test]
    fn a_path_that_cannot_be_set_is_named() {
        for path in ["id", "etag", "create_time", "update_time", "nme", "variants.price", "Name", ""] {
            let error = Fields::of(Some(&mask(&["name", path])), &Product::default()).unwrap_err();
            assert!(matches!(&error, CatalogError::MaskPathUnknown(named) if named == path), "{path}: {error}");
        }
    }
}
