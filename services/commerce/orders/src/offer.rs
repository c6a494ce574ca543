//! What the catalog says of a variant when it is ordered.

use uuid::Uuid;
use weft_contracts_catalog::{Variant, VariantView};

use crate::error::OrdersError;

/// A variant as the catalog has it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) variant_id: Uuid,
    pub(crate) product_id: Uuid,
    pub(crate) sku: String,
    /// What the product and the variant are called.
    pub(crate) name: String,
    pub(crate) currency_code: String,
    /// In minor units.
    pub(crate) unit_price: i64,
}

impl Offer {
    /// Reads the catalog's answer. A line must not be made of half an answer or a price below zero.
    pub(crate) fn read(view: VariantView) -> Result<Self, OrdersError> {
        let variant = view.variant.ok_or(OrdersError::CatalogAnswer("a variant is missing"))?;
        let name = called(&view.product_name, &variant);
        let price = variant.price.ok_or(OrdersError::CatalogAnswer("a price is missing"))?;
        if price.minor_units < 0 {
            return Err(OrdersError::CatalogAnswer("a price is below zero"));
        }
        Ok(Self {
            variant_id: parse(&variant.id)?,
            product_id: parse(&view.product_id)?,
            sku: variant.sku,
            name,
            currency_code: price.currency_code,
            unit_price: price.minor_units,
        })
    }
}

fn called(product: &str, variant: &Variant) -> String {
    if variant.name.is_empty() { product.to_owned() } else { format!("{product}, {}", variant.name) }
}

fn parse(id: &str) -> Result<Uuid, OrdersError> {
    Uuid::try_parse(id).map_err(|_| OrdersError::CatalogAnswer("an id is not a UUID"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use weft_contracts_type::Money;

    use super::*;

    fn view() -> VariantView {
        let variant = Variant {
            id: Uuid::now_v7().to_string(),
            sku: "S".to_owned(),
            name: "blue".to_owned(),
            price: Some(Money { currency_code: "EUR".to_owned(), minor_units: 5 }),
        };
        VariantView { variant: Some(variant), product_id: Uuid::now_v7().to_string(), product_name: "Shirt".to_owned() }
    }

    #[test]
    fn an_offer_is_called_as_product_and_variant_are() {
        assert_eq!(Offer::read(view()).unwrap().name, "Shirt, blue");
        let mut plain = view();
        plain.variant.as_mut().unwrap().name.clear();
        assert_eq!(Offer::read(plain).unwrap().name, "Shirt");
    }

    #[test]
    fn half_an_answer_is_no_offer() {
        let damaged: [fn(&mut VariantView); 5] = [
            |view| view.variant = None,
            |view| view.product_id.clear(),
            |view| view.variant.as_mut().unwrap().id.clear(),
            |view| view.variant.as_mut().unwrap().price = None,
            |view| view.variant.as_mut().unwrap().price.as_mut().unwrap().minor_units = -1,
        ];
        for damage in damaged {
            let mut view = view();
            damage(&mut view);
            assert!(matches!(Offer::read(view.clone()), Err(OrdersError::CatalogAnswer(_))), "{view:?}");
        }
    }
}
