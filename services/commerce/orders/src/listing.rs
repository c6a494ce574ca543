//! How orders are listed: newest first, a page at a time.
//!
//! A page begins behind the last order of the page before it (keyset paging), so that new orders
//! do not shift it.

use chrono::{DateTime, Utc};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use weft_contracts_orders as contract;

use crate::{
    order::{Order, State},
    reach::Reach,
};

/// The size of a page if the request does not say one.
const DEFAULT_PAGE_SIZE: usize = 50;
/// The largest page.
const MAX_PAGE_SIZE: usize = 200;
/// The largest page in encoded bytes: well below what one message may be.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// In the year 2262. Not the last time there is: SQLite sorts times as text, where a year of five
/// digits would come first.
const END_OF_TIME: DateTime<Utc> = DateTime::from_timestamp_nanos(i64::MAX);

/// A place in the list, behind which a page begins. Page tokens hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) create_time: DateTime<Utc>,
    /// Tells orders of one moment apart.
    pub(crate) id: Uuid,
}

impl Position {
    /// Where the list begins.
    pub(crate) const START: Self = Self { create_time: END_OF_TIME, id: Uuid::max() };

    /// The place of an order.
    pub(crate) fn of(order: &Order) -> Self {
        Self { create_time: order.create_time, id: order.id }
    }
}

/// How many orders a page holds, by what the request says.
pub(crate) fn page_size(wanted: i32) -> usize {
    match usize::try_from(wanted) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(wanted) => wanted.min(MAX_PAGE_SIZE),
    }
}

/// How many of `orders` go on a page of `size`: as many as stay within its bytes (AIP-158 lets a page
/// be short), and one in any case.
pub(crate) fn fitting(orders: &[contract::Order], size: usize) -> usize {
    let mut bytes = 0;
    let fits = |order: &&contract::Order| {
        let first = bytes == 0;
        bytes += order.encoded_len();
        first || bytes <= MAX_PAGE_BYTES
    };
    orders.iter().take(size).take_while(fits).count()
}

/// What a page token is bound to beside the tenant: with another state, or for somebody who reaches
/// other orders, it is refused.
pub(crate) fn binding(state: Option<State>, reach: Reach) -> String {
    let whose = match reach {
        Reach::All => "all".to_owned(),
        Reach::Of(customer) => customer.to_string(),
    };
    format!("orders of {whose} in {}", state.map_or("any state", State::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_even_if_none_is_said_and_never_too_large_a_one() {
        assert_eq!([0, 1, 200, 201, i32::MAX].map(page_size), [50, 1, 200, 200, 200]);
    }

    #[test]
    fn a_page_is_cut_before_it_grows_too_large_for_a_message() {
        let of = |length: usize| contract::Order { note: "x".repeat(length), ..contract::Order::default() };
        assert_eq!(fitting(&[of(1), of(2), of(3)], 2), 2);
        assert_eq!(fitting(&[of(MAX_PAGE_BYTES / 2), of(MAX_PAGE_BYTES / 2), of(1)], 3), 1);
        assert_eq!(fitting(&[of(MAX_PAGE_BYTES * 2), of(1)], 2), 1);
        assert_eq!(fitting(&[], 2), 0);
    }

    #[test]
    fn tokens_of_different_lists_are_bound_to_different_texts() {
        let (a, b) = (Reach::Of(Uuid::from_u128(1)), Reach::Of(Uuid::from_u128(2)));
        let bindings = [
            binding(None, a),
            binding(None, b),
            binding(None, Reach::All),
            binding(Some(State::Placed), a),
            binding(Some(State::Cancelled), a),
        ];
        let distinct: std::collections::BTreeSet<_> = bindings.iter().collect();
        assert_eq!(distinct.len(), bindings.len());
    }
}
