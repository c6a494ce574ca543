//! Filters and orders of lists, as SQL whose values are bound.
//!
//! Problem: who lists wants to say which and in what order, and a text of theirs must never become SQL. Rule: a [`List`] names
//! its [`Field`]s; a filter (AIP-160) or an order (AIP-132) that names others is refused, and what is allowed becomes a
//! [`Clause`], which is made of texts of the program and of values that are bound, and of nothing else: that is its type.
//! What a stranger may ask for is limited in length, depth and number of comparisons. Recovery: an error says where the
//! text stops being a filter, and what would be one.
//!
//! ```
//! use weft_filter::{Field, Kind, List, Place};
//!
//! static ORDERS: List = List {
//!     fields: &[
//!         Field { name: "total", kind: Kind::Integer, place: Place::Column("total"), order: Some("total") },
//!         Field { name: "create_time", kind: Kind::Time, place: Place::Column("create_time"), order: Some("create_time") },
//!     ],
//!     default_order: "create_time desc",
//! };
//!
//! let sought = ORDERS.seek("total >= 100 AND NOT create_time < 2026-01-01T00:00:00Z", "total desc")?;
//! let page = sought.page(None)?;
//! assert_eq!(page.conditions.to_string(), " AND ((total >= ?) AND (NOT (create_time < ?)))");
//! assert_eq!(page.order.to_string(), "total DESC, id DESC");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Of AIP-160 there are:
//!
//! | written | means |
//! |---|---|
//! | `a AND b`, `a b` | both |
//! | `a OR b` | one at least; binds closer than `AND` |
//! | `NOT a`, `-a` | not `a` |
//! | `(a)` | `a`, read as one |
//! | `field = value`, `!=` | the field is this, or is not |
//! | `field < value`, `<=`, `>`, `>=` | of numbers and times: less, at most, more, at least |
//! | `field:value` | of what is repeated: one of it is this |
//! | `field:*` | the field is set; of what is repeated: there is one |
//!
//! A value is a number, `true` or `false`, a time (RFC 3339), an id, a word of an enum, or a text. One with other signs than
//! letters, digits and `_.+-:` stands in quotes, `"` or `'`, where a backslash goes before a quote or a backslash. Functions,
//! wildcards and values alone, which would be searched for in all fields, are refused; a `*` in a text is a `*`.

mod clause;
mod error;
mod field;
mod filter;
mod list;
mod order;
mod reader;

pub use clause::{Clause, Piece};
pub use error::{FilterError, OrderError, SeekError};
pub use field::{Field, Kind, Place, Value};
pub use filter::Filter;
pub use list::{List, Page, Sought};
pub use order::Order;
