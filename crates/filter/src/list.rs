//! A list that can be filtered and ordered, and what a request seeks in it.

use crate::{Clause, Field, Filter, Kind, Order, OrderError, Place, SeekError, Value};

/// A list that can be filtered and ordered.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// What it can be filtered by, and some of it ordered by.
    pub fields: &'static [Field],
    /// Its order if a request says none: `create_time desc`.
    pub default_order: &'static str,
}

/// The column `id`, by which items are told apart that are alike in what a list is ordered by.
const ID: Field = Field { name: "id", kind: Kind::Uuid, place: Place::Column("id"), order: Some("id") };

impl List {
    /// What a request seeks by its `filter` and `order_by`, both of which may be empty.
    pub fn seek(&self, filter: &str, order_by: &str) -> Result<Sought, SeekError> {
        let (filter, order_by) = (filter.trim(), order_by.trim());
        let order_by = if order_by.is_empty() { self.default_order } else { order_by };
        let order = Order::parse(order_by, self.fields, ID)?;
        Ok(Sought { filter: Filter::parse(filter, self.fields)?, order, binding: format!("{order_by:?} {filter:?}") })
    }
}

/// What a request seeks in a list.
#[derive(Clone, Debug)]
pub struct Sought {
    filter: Filter,
    order: Order,
    binding: String,
}

/// A page of what is sought, as the pieces that complete a statement.
#[derive(Clone, Debug)]
pub struct Page {
    /// Stands behind the statement's own conditions: what is wanted, and from where on.
    pub conditions: Clause,
    /// Stands behind `ORDER BY`.
    pub order: Clause,
    /// False if there are so many forms of it that no connection should keep them prepared.
    pub is_usual: bool,
}

impl Sought {
    /// What a page token is bound to beside the list's own name: with another filter or order it is refused (AIP-158).
    pub fn binding(&self) -> &str {
        &self.binding
    }

    /// The place of an item, which a page token holds: the item's values of the fields that are asked for, the last of which is
    /// `id`.
    pub fn place(&self, value: impl FnMut(&'static str) -> Value) -> Vec<Value> {
        self.order.fields().map(value).collect()
    }

    /// The page that begins behind a place; the first one without.
    pub fn page(&self, behind: Option<&[Value]>) -> Result<Page, OrderError> {
        let mut conditions = self.filter.clause();
        if let Some(values) = behind {
            conditions.append(self.order.behind(values)?);
        }
        let is_usual = self.filter.is_empty() && self.order.fields().count() <= 2;
        Ok(Page { conditions, order: self.order.clause(), is_usual })
    }
}
