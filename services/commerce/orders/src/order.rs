//! What an order is, and what it may become.
//!
//! A request names variants and quantities; names and prices are the catalog's, totals are computed
//! here, in whole minor units and never past what 64 bits count.

use std::{collections::BTreeSet, time::SystemTime};

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_contracts_orders as contract;
use weft_contracts_type::Money;
use weft_mesh::{FieldViolation, store::etag};

use crate::{error::OrdersError, offer::Offer};

/// What somebody ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: Uuid,
    pub(crate) customer_id: Uuid,
    pub(crate) state: State,
    /// Of all its prices and totals.
    pub(crate) currency_code: String,
    pub(crate) lines: Vec<Line>,
    /// In minor units.
    pub(crate) total: i64,
    pub(crate) note: String,
    pub(crate) create_time: DateTime<Utc>,
    pub(crate) update_time: DateTime<Utc>,
    /// 1 when it is placed, and one more with each change.
    pub(crate) version: i64,
}

/// One position of an order. Amounts are in minor units of the order's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) variant_id: Uuid,
    pub(crate) product_id: Uuid,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i32,
    pub(crate) unit_price: i64,
    pub(crate) total: i64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Placed,
    Cancelled,
}

impl State {
    /// As the store keeps it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state that the store keeps under this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Placed, Self::Cancelled].into_iter().find(|state| state.as_str() == name)
    }

    /// The state that a request says; `None` if it says none.
    pub(crate) fn of_message(state: contract::order::State) -> Option<Self> {
        match state {
            contract::order::State::Unspecified => None,
            contract::order::State::Placed => Some(Self::Placed),
            contract::order::State::Cancelled => Some(Self::Cancelled),
        }
    }

    fn to_message(self) -> contract::order::State {
        match self {
            Self::Placed => contract::order::State::Placed,
            Self::Cancelled => contract::order::State::Cancelled,
        }
    }
}

/// What a request orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) lines: Vec<WantedLine>,
    pub(crate) note: String,
}

/// A variant and how many of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WantedLine {
    pub(crate) variant_id: Uuid,
    pub(crate) quantity: i32,
}

impl Wanted {
    /// Checks what the contract's field rules cannot say: each variant is ordered once.
    pub(crate) fn check(request: contract::CreateOrderRequest) -> Result<Self, OrdersError> {
        let (mut lines, mut seen, mut violations) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (index, line) in request.lines.iter().enumerate() {
            let must = match Uuid::try_parse(&line.variant_id) {
                Err(_) => "must be a UUID",
                Ok(variant_id) if !seen.insert(variant_id) => "must differ from those of the other lines",
                Ok(variant_id) => {
                    lines.push(WantedLine { variant_id, quantity: line.quantity });
                    continue;
                }
            };
            let field = format!("lines[{index}].variant_id");
            violations.push(FieldViolation { field, description: must.to_owned(), rule: String::new() });
        }
        if violations.is_empty() { Ok(Self { lines, note: request.note }) } else { Err(OrdersError::Invalid(violations)) }
    }
}

impl Order {
    /// The order of what is wanted, at what the catalog offers: an offer for each line, in their order.
    pub(crate) fn place(customer_id: Uuid, wanted: Wanted, offers: Vec<Offer>, now: DateTime<Utc>) -> Result<Self, OrdersError> {
        if !offers.iter().map(|offer| offer.variant_id).eq(wanted.lines.iter().map(|line| line.variant_id)) {
            return Err(OrdersError::CatalogAnswer("its variants are not those that were asked for"));
        }
        let currency_code = one_currency(&offers)?;
        let lines: Vec<_> = offers
            .into_iter()
            .zip(&wanted.lines)
            .map(|(offer, wanted)| Line::at(offer, wanted.quantity))
            .collect::<Result<_, _>>()?;
        let add = |sum: i64, line: &Line| sum.checked_add(line.total);
        let total = lines.iter().try_fold(0, add).ok_or(OrdersError::TotalTooLarge)?;
        Ok(Self {
            id: Uuid::now_v7(),
            customer_id,
            state: State::Placed,
            currency_code,
            lines,
            total,
            note: wanted.note,
            create_time: now,
            update_time: now,
            version: 1,
        })
    }

    /// The order cancelled; `None` if it is so already.
    pub(crate) fn cancel(&self, now: DateTime<Utc>) -> Option<Self> {
        match self.state {
            State::Placed => Some(Self { state: State::Cancelled, update_time: now, version: self.version + 1, ..self.clone() }),
            State::Cancelled => None,
        }
    }

    /// The order as the contract has it.
    pub(crate) fn to_message(&self) -> contract::Order {
        contract::Order {
            id: self.id.to_string(),
            customer_id: self.customer_id.to_string(),
            state: self.state.to_message().into(),
            lines: self.lines.iter().map(|line| line.to_message(&self.currency_code)).collect(),
            total: Some(money(&self.currency_code, self.total)),
            note: self.note.clone(),
            create_time: Some(SystemTime::from(self.create_time).into()),
            update_time: Some(SystemTime::from(self.update_time).into()),
            etag: etag::of(self.version),
        }
    }

    /// The news that it was placed.
    pub(crate) fn created(&self) -> contract::OrderCreated {
        let contract::Order { id, customer_id, lines, total, create_time, .. } = self.to_message();
        contract::OrderCreated { order_id: id, customer_id, lines, total, create_time }
    }

    /// The news that it is cancelled.
    pub(crate) fn cancelled(&self) -> contract::OrderCancelled {
        let contract::Order { id, customer_id, update_time, .. } = self.to_message();
        contract::OrderCancelled { order_id: id, customer_id, cancel_time: update_time }
    }
}

impl Line {
    fn at(offer: Offer, quantity: i32) -> Result<Self, OrdersError> {
        let total = offer.unit_price.checked_mul(quantity.into()).ok_or(OrdersError::TotalTooLarge)?;
        let Offer { variant_id, product_id, sku, name, unit_price, currency_code: _ } = offer;
        Ok(Self { variant_id, product_id, sku, name, quantity, unit_price, total })
    }

    fn to_message(&self, currency_code: &str) -> contract::Line {
        contract::Line {
            variant_id: self.variant_id.to_string(),
            product_id: self.product_id.to_string(),
            sku: self.sku.clone(),
            name: self.name.clone(),
            quantity: self.quantity,
            unit_price: Some(money(currency_code, self.unit_price)),
            total: Some(money(currency_code, self.total)),
        }
    }
}

fn money(currency_code: &str, minor_units: i64) -> Money {
    Money { currency_code: currency_code.to_owned(), minor_units }
}

/// The currency of all offers.
fn one_currency(offers: &[Offer]) -> Result<String, OrdersError> {
    let first = offers.first().ok_or(OrdersError::CatalogAnswer("it has no variants"))?;
    match offers.iter().find(|offer| offer.currency_code != first.currency_code) {
        Some(other) => Err(OrdersError::CurrencyMixed(first.currency_code.clone(), other.currency_code.clone())),
        None => Ok(first.currency_code.clone()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    /// An order of somebody's, placed at the beginning of time.
    pub(crate) fn order_of(customer_id: Uuid) -> Order {
        place(&[(100, 1)]).map(|order| Order { customer_id, ..order }).unwrap()
    }

    fn offer(unit_price: i64) -> Offer {
        Offer {
            variant_id: Uuid::now_v7(),
            product_id: Uuid::now_v7(),
            sku: "S".to_owned(),
            name: "Shirt".to_owned(),
            currency_code: "EUR".to_owned(),
            unit_price,
        }
    }

    fn wanted(offers: &[Offer], quantities: &[i32]) -> Wanted {
        let line = |(offer, quantity): (&Offer, &i32)| WantedLine { variant_id: offer.variant_id, quantity: *quantity };
        Wanted { lines: offers.iter().zip(quantities).map(line).collect(), note: String::new() }
    }

    fn place(lines: &[(i64, i32)]) -> Result<Order, OrdersError> {
        let offers: Vec<_> = lines.iter().map(|(price, _)| offer(*price)).collect();
        let quantities: Vec<_> = lines.iter().map(|(_, quantity)| *quantity).collect();
        Order::place(Uuid::now_v7(), wanted(&offers, &quantities), offers, DateTime::UNIX_EPOCH)
    }

    fn request(variant_ids: &[String]) -> contract::CreateOrderRequest {
        let line = |id: &String| contract::OrderedVariant { variant_id: id.clone(), quantity: 1 };
        contract::CreateOrderRequest { lines: variant_ids.iter().map(line).collect(), note: String::new() }
    }

    proptest! {
        #[test]
        fn totals_are_exact_or_refused(lines in prop::collection::vec((0..=1_000_000_000_000_000_i64, 1..=10_000), 1..20)) {
            let exact: i128 = lines.iter().map(|(price, quantity)| i128::from(*price) * i128::from(*quantity)).sum();
            match place(&lines) {
                Ok(order) => {
                    prop_assert_eq!(i128::from(order.total), exact);
                    prop_assert_eq!(order.lines.iter().map(|line| line.total).sum::<i64>(), order.total);
                }
                Err(OrdersError::TotalTooLarge) => prop_assert!(exact > i128::from(i64::MAX)),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn small_orders_are_never_refused(lines in prop::collection::vec((0..=1_000_000_i64, 1..=10_000), 1..100)) {
            prop_assert!(place(&lines).is_ok());
        }
    }

    #[test]
    fn a_total_counts_to_the_last_unit_of_64_bits_and_not_beyond() {
        assert_eq!(place(&[(i64::MAX - 1, 1), (1, 1)]).unwrap().total, i64::MAX);
        for too_large in [&[(i64::MAX, 1), (1, 1)][..], &[(i64::MAX, 2)]] {
            assert!(matches!(place(too_large), Err(OrdersError::TotalTooLarge)));
        }
    }

    #[test]
    fn a_variant_that_is_ordered_twice_is_named_however_it_is_spelled() {
        let id = Uuid::now_v7();
        let twice = request(&[id.to_string(), Uuid::now_v7().to_string(), id.to_string().to_uppercase()]);
        let Err(OrdersError::Invalid(violations)) = Wanted::check(twice) else { panic!("the order was accepted") };
        assert_eq!(violations.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(), ["lines[2].variant_id"]);
    }

    #[test]
    fn prices_in_two_currencies_make_no_order() {
        let (euro, mut dollar) = (offer(1), offer(1));
        dollar.currency_code = "USD".to_owned();
        let offers = vec![euro, dollar];
        let placed = Order::place(Uuid::now_v7(), wanted(&offers, &[1, 1]), offers, DateTime::UNIX_EPOCH);
        assert!(matches!(placed, Err(OrdersError::CurrencyMixed(first, second)) if first == "EUR" && second == "USD"));
    }

    #[test]
    fn offers_that_do_not_fit_the_lines_make_no_order() {
        let offers = vec![offer(1), offer(2)];
        let swapped = vec![offers[1].clone(), offers[0].clone()];
        for wrong in [vec![], vec![offers[0].clone()], swapped] {
            let placed = Order::place(Uuid::now_v7(), wanted(&offers, &[1, 1]), wrong, DateTime::UNIX_EPOCH);
            assert!(matches!(placed, Err(OrdersError::CatalogAnswer(_))));
        }
    }

    #[test]
    fn a_cancelled_order_stays_as_it_is() {
        let placed = order_of(Uuid::now_v7());
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(1);
        let cancelled = placed.cancel(later).unwrap();
        assert_eq!((cancelled.state, cancelled.version, cancelled.update_time), (State::Cancelled, 2, later));
        assert_eq!(cancelled.cancel(later), None);
    }

    #[test]
    fn a_state_is_read_as_it_is_kept() {
        for state in [State::Placed, State::Cancelled] {
            assert_eq!(State::parse(state.as_str()), Some(state));
            assert_eq!(State::of_message(state.to_message()), Some(state));
        }
        assert_eq!(State::parse("shipped"), None);
    }
}
