//! How products are listed: in which order, from where, and how many at a time.
//!
//! A page begins behind the last product of the page before it (keyset paging), so that products
//! which come and go in between neither repeat others nor hide them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::product::Product;

/// The order of a list (AIP-132).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    CreateTime,
    CreateTimeDesc,
    Name,
    NameDesc,
}

impl Order {
    /// The order that a request asks for; `None` for one that the contract does not know.
    pub(crate) fn parse(order_by: &str) -> Option<Self> {
        match order_by {
            "" | "create_time" => Some(Self::CreateTime),
            "create_time desc" => Some(Self::CreateTimeDesc),
            "name" => Some(Self::Name),
            "name desc" => Some(Self::NameDesc),
            _ => None,
        }
    }

    /// Its name in `order_by`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::CreateTime => "create_time",
            Self::CreateTimeDesc => "create_time desc",
            Self::Name => "name",
            Self::NameDesc => "name desc",
        }
    }

    /// Where a list in this order begins.
    pub(crate) fn start(self) -> Position {
        match self {
            Self::CreateTime => Position { key: Key::CreateTime(DateTime::UNIX_EPOCH), id: Uuid::nil() },
            Self::CreateTimeDesc => Position { key: Key::CreateTime(END_OF_TIME), id: Uuid::max() },
            Self::Name => Position { key: Key::Name(String::new()), id: Uuid::nil() },
            Self::NameDesc => Position { key: Key::BehindNames, id: Uuid::max() },
        }
    }

    /// The position of a product in this order.
    pub(crate) fn position(self, product: &Product) -> Position {
        let key = match self {
            Self::CreateTime | Self::CreateTimeDesc => Key::CreateTime(product.create_time),
            Self::Name | Self::NameDesc => Key::Name(product.content.sort_name()),
        };
        Position { key, id: product.id }
    }
}

/// In the year 2262. Not the last time there is: SQLite sorts times as text, where a year of five
/// digits would come first.
const END_OF_TIME: DateTime<Utc> = DateTime::from_timestamp_nanos(i64::MAX);

/// A place in a list, behind which a page begins. Page tokens hold one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) key: Key,
    /// Tells products with one key apart.
    pub(crate) id: Uuid,
}

/// What a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Key {
    CreateTime(DateTime<Utc>),
    /// The beginning of the name in lower case.
    Name(String),
    /// Behind all names.
    BehindNames,
}

/// What a page token is bound to beside the tenant: with another search or order it is refused.
pub(crate) fn binding(search: &str, order: Order) -> String {
    format!("products by {} with {search}", order.as_str())
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

    use super::*;

    #[test]
    fn an_order_is_read_as_it_is_written() {
        for order in [Order::CreateTime, Order::CreateTimeDesc, Order::Name, Order::NameDesc] {
            assert_eq!(Order::parse(order.as_str()), Some(order));
        }
        assert_eq!(Order::parse(""), Some(Order::CreateTime));
        assert_eq!(Order::parse("price"), None);
    }

    #[test]
    fn a_search_means_its_letters_and_no_wildcard() {
        assert_eq!(pattern(""), "%%");
        assert_eq!(pattern("100% Wool_!"), "%100!% wool!_!!%");
    }

    #[test]
    fn tokens_of_different_lists_are_bound_to_different_texts() {
        assert_ne!(binding("a", Order::Name), binding("a", Order::NameDesc));
        assert_ne!(binding("a", Order::Name), binding("b", Order::Name));
    }

    #[test]
    fn the_largest_position_fits_a_page_token() {
        let key = Key::Name("\"".repeat(128));
        assert!(serde_json::to_vec(&Position { key, id: Uuid::max() }).unwrap().len() < 340);
    }
}
