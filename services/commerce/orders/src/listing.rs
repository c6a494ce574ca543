//! How orders are listed: those that a filter wants (AIP-160), in the order that is asked for (AIP-132), a page at a time.
//!
//! A page begins behind the last order of the page before it (keyset paging), so that new orders
//! do not shift it.

use weft_mesh::store::filter::{Field, Kind, List, Place, Value};

use crate::{
    order::{Order, State},
    reach::Reach,
};

/// The list, with its fields as the contract says them.
pub(crate) static LIST: List = List {
    fields: &[
        field("state", STATES, "state"),
        sorting("total.minor_units", Kind::Integer, "total"),
        field("total.currency_code", Kind::Text, "currency_code"),
        field("customer_id", Kind::Uuid, "customer_id"),
        sorting("create_time", Kind::Time, "create_time"),
        sorting("update_time", Kind::Time, "update_time"),
        of_lines("lines.variant_id", Kind::Uuid, "l.variant_id"),
        of_lines("lines.product_id", Kind::Uuid, "l.product_id"),
        of_lines("lines.sku", Kind::Text, "l.sku"),
    ],
    default_order: "create_time desc",
};

/// As the contract calls them, and the store.
const STATES: Kind = Kind::Word(&[("STATE_PLACED", "placed"), ("STATE_CANCELLED", "cancelled")]);

const fn field(name: &'static str, kind: Kind, column: &'static str) -> Field {
    Field { name, kind, place: Place::Column(column), order: None }
}

const fn sorting(name: &'static str, kind: Kind, column: &'static str) -> Field {
    Field { name, kind, place: Place::Column(column), order: Some(column) }
}

const fn of_lines(name: &'static str, kind: Kind, column: &'static str) -> Field {
    let select = "SELECT 1 FROM lines AS l WHERE l.tenant_id = orders.tenant_id AND l.order_id = orders.id";
    Field { name, kind, place: Place::Rows { select, column }, order: None }
}

/// What of an order says where it stands in the list.
pub(crate) fn value(order: &Order, field: &str) -> Value {
    match field {
        "total.minor_units" => Value::Integer(order.total),
        "create_time" => Value::Time(order.create_time),
        "update_time" => Value::Time(order.update_time),
        _ => Value::Uuid(order.id),
    }
}

/// What a page token is bound to beside the tenant, the filter and the order: with another state, or for somebody who reaches
/// other orders, it is refused.
pub(crate) fn name(state: Option<State>, reach: Reach) -> String {
    let whose = match reach {
        Reach::All => "all".to_owned(),
        Reach::Of(customer) => customer.to_string(),
    };
    format!("orders of {whose} in {}", state.map_or("any state", State::as_str))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use uuid::Uuid;
    use weft_contracts_orders::order::State as Word;

    use super::*;
    use crate::order::tests::order_of;

    #[test]
    fn tokens_of_different_lists_are_bound_to_different_texts() {
        let (a, b) = (Reach::Of(Uuid::from_u128(1)), Reach::Of(Uuid::from_u128(2)));
        let names =
            [name(None, a), name(None, b), name(None, Reach::All), name(Some(State::Placed), a), name(Some(State::Cancelled), a)];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn words_are_those_of_the_contract_and_of_the_store() {
        let Kind::Word(words) = STATES else { panic!("the state is a word") };
        let of_contract: Vec<_> = (1..).map_while(|number| Word::try_from(number).ok()).collect();
        assert_eq!(words.len(), of_contract.len());
        for word in of_contract {
            assert!(words.contains(&(word.as_str_name(), State::of_message(word).unwrap().as_str())));
        }
    }

    #[test]
    fn an_order_has_a_place_in_every_order_of_the_list() {
        let order = order_of(Uuid::now_v7());
        for order_by in ["", "total.minor_units", "update_time desc, total.minor_units", "create_time, update_time"] {
            let sought = LIST.seek("", order_by).unwrap();
            let place = sought.place(|field| value(&order, field));
            assert!(sought.page(Some(&place)).is_ok(), "{order_by}");
        }
    }
}
