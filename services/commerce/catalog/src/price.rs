//! What a price may be.

use iso_currency::Currency;
use weft_contracts_type::Money;

/// The highest price, in minor units. With it an order of one line of a thousand pieces can still be counted in 64 bits.
pub(crate) const MAX_MINOR_UNITS: i64 = 1_000_000_000_000_000;

/// What one unit of a variant costs, in minor units of an ISO 4217 currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) currency_code: String,
    pub(crate) minor_units: i64,
}

/// What is wrong with a price: the field of `Money` and what it must be.
pub(crate) type PriceProblem = (&'static str, &'static str);

impl Price {
    /// Checks an amount: a currency that is in circulation by ISO 4217, and nothing below zero.
    pub(crate) fn check(money: &Money) -> Result<Self, PriceProblem> {
        if !circulates(&money.currency_code) {
            return Err(("currency_code", "must be the ISO 4217 code of a currency in use, in capital letters"));
        }
        if !(0..=MAX_MINOR_UNITS).contains(&money.minor_units) {
            return Err(("minor_units", "must be between 0 and 10^15"));
        }
        Ok(Self { currency_code: money.currency_code.clone(), minor_units: money.minor_units })
    }
}

/// True for the currencies that people pay in: neither gold and test codes nor what was replaced.
fn circulates(code: &str) -> bool {
    Currency::from_code(code).is_some_and(|currency| !currency.is_special() && currency.is_superseded().is_none())
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self { currency_code: price.currency_code, minor_units: price.minor_units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(currency_code: &str, minor_units: i64) -> Option<&'static str> {
        Price::check(&Money { currency_code: currency_code.to_owned(), minor_units }).err().map(|(field, _)| field)
    }

    #[test]
    fn prices_are_in_currencies_that_are_in_use() {
        for good in ["EUR", "USD", "JPY", "KWD"] {
            assert_eq!(problem(good, 1), None, "{good}");
        }
        for bad in ["", "eur", "EU", "EURO", "ABC", "XXX", "XTS", "DEM", "E\u{dc}R", " EUR"] {
            assert_eq!(problem(bad, 1), Some("currency_code"), "{bad:?}");
        }
    }

    #[test]
    fn prices_are_neither_negative_nor_beyond_counting() {
        assert_eq!(problem("EUR", 0), None);
        assert_eq!(problem("EUR", MAX_MINOR_UNITS), None);
        for bad in [-1, i64::MIN, MAX_MINOR_UNITS + 1, i64::MAX] {
            assert_eq!(problem("EUR", bad), Some("minor_units"), "{bad}");
        }
    }
}
