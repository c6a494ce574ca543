//! How orders are listed: newest first, a page at a time.
//!
//! A page begins behind the last order of the page before it (keyset paging), so that new orders
//! do not shift it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    order::{Order, State},
    reach::Reach,
};

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
