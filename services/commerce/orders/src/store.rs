//! Every statement of orders.
//!
//! An order is read in one statement together with its lines: each has one at least, so a join loses
//! none.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use weft_mesh::{
    Subject,
    store::{Read, StoreError, Tx, filter::Page, statements},
};

use crate::{
    error::OrdersError,
    order::{Line, Order, State},
    reach::Reach,
};

macro_rules! order_columns {
    () => {
        "o.id AS id, o.customer_id, o.state, o.currency_code, o.total AS total, o.note, o.create_time AS create_time, \
         o.update_time AS update_time, o.version, \
         l.variant_id, l.product_id, l.sku, l.name, l.quantity, l.unit_price, l.total AS line_total"
    };
}

/// A page of orders: `$2` the state or nothing, `$3` how many; what is sought is filled in. Every column that it is ordered by
/// is an output of its own name.
macro_rules! page {
    ($whose:literal) => {
        concat!(
            "SELECT ",
            order_columns!(),
            " FROM (SELECT * FROM orders WHERE tenant_id = $1 AND ($2 = '' OR state = $2)",
            $whose,
            "/*conditions*/ ORDER BY /*order*/id LIMIT $3) AS o \
             JOIN lines AS l ON l.tenant_id = o.tenant_id AND l.order_id = o.id \
             ORDER BY /*order*/id, l.position"
        )
    };
}

statements! {
    GET_ORDER = concat!(
        "SELECT ",
        order_columns!(),
        " FROM orders AS o JOIN lines AS l ON l.tenant_id = o.tenant_id AND l.order_id = o.id \
         WHERE o.tenant_id = $1 AND o.id = $2 ORDER BY l.position"
    );
    LIST_ALL = page!("");
    /// `$4` is the customer.
    LIST_OWN = page!(" AND customer_id = $4");
    INSERT_ORDER =
        "INSERT INTO orders \
         (tenant_id, id, customer_id, state, currency_code, total, note, create_time, update_time, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    INSERT_LINE =
        "INSERT INTO lines \
         (tenant_id, order_id, position, variant_id, product_id, sku, name, quantity, unit_price, total) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    /// The order stays, for whom it does not say.
    FORGET_CUSTOMER = "UPDATE orders SET customer_id = $3, note = '' WHERE tenant_id = $1 AND customer_id = $2";
    LIST_IDS_OF = "SELECT id FROM orders WHERE tenant_id = $1 AND customer_id = $2 LIMIT 100000";
    /// What of an order can change.
    UPDATE_ORDER =
        "UPDATE orders SET state = $3, update_time = $4, version = $5 WHERE tenant_id = $1 AND id = $2";
}

/// A line with columns of its order.
#[derive(sqlx::FromRow)]
struct OrderRow {
    id: Uuid,
    customer_id: Uuid,
    state: String,
    currency_code: String,
    total: i64,
    note: String,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
    version: i64,
    variant_id: Uuid,
    product_id: Uuid,
    sku: String,
    name: String,
    quantity: i64,
    unit_price: i64,
    line_total: i64,
}

/// The order with this id.
pub(crate) async fn get(read: &Read, id: Uuid) -> Result<Option<Order>, OrdersError> {
    let rows = read.run(&GET_ORDER).bind(id).fetch_all().await?;
    Ok(orders(rows)?.pop())
}

/// At most `limit` orders of a page: those within reach, in `state` if one is said.
pub(crate) async fn list(
    read: &Read,
    reach: Reach,
    state: Option<State>,
    page: &Page,
    limit: usize,
) -> Result<Vec<Order>, OrdersError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let state = state.map_or("", State::as_str);
    let run = match reach {
        Reach::All => read.run(&LIST_ALL).bind(state).bind(limit),
        Reach::Of(customer) => read.run(&LIST_OWN).bind(state).bind(limit).bind(customer),
    };
    orders(run.seek(page).fetch_all().await?)
}

/// Adds an order.
pub(crate) async fn insert(tx: &Tx, order: &Order) -> Result<(), StoreError> {
    tx.run(&INSERT_ORDER)
        .bind(order.id)
        .bind(order.customer_id)
        .bind(order.state.as_str())
        .bind(order.currency_code.clone())
        .bind(order.total)
        .bind(order.note.clone())
        .bind(order.create_time)
        .bind(order.update_time)
        .bind(order.version)
        .execute()
        .await?;
    for (position, line) in (0_i64..).zip(&order.lines) {
        tx.run(&INSERT_LINE)
            .bind(order.id)
            .bind(position)
            .bind(line.variant_id)
            .bind(line.product_id)
            .bind(line.sku.clone())
            .bind(line.name.clone())
            .bind(i64::from(line.quantity))
            .bind(line.unit_price)
            .bind(line.total)
            .execute()
            .await?;
    }
    Ok(())
}

/// Writes what of an order can change.
pub(crate) async fn update(tx: &Tx, order: &Order) -> Result<(), StoreError> {
    let run = tx.run(&UPDATE_ORDER).bind(order.id).bind(order.state.as_str());
    run.bind(order.update_time).bind(order.version).execute().await?;
    Ok(())
}

/// Erases who ordered, and what was noted: the order itself is to be kept.
pub(crate) async fn erase(tx: &Tx, subject: Subject) -> weft_mesh::Result<()> {
    for order in tx.run(&LIST_IDS_OF).bind(subject.user).fetch_values::<Uuid>().await? {
        tx.forget_events(&order.to_string()).await?;
    }
    tx.run(&FORGET_CUSTOMER).bind(subject.user).bind(Uuid::nil()).execute().await?;
    Ok(())
}

/// Gathers rows that follow one another into their orders.
fn orders(rows: Vec<OrderRow>) -> Result<Vec<Order>, OrdersError> {
    let mut orders: Vec<Order> = Vec::new();
    for row in rows {
        let line = Line {
            variant_id: row.variant_id,
            product_id: row.product_id,
            sku: row.sku,
            name: row.name,
            quantity: row.quantity.try_into().map_err(|_| OrdersError::Damaged("a quantity"))?,
            unit_price: row.unit_price,
            total: row.line_total,
        };
        match orders.last_mut() {
            Some(last) if last.id == row.id => last.lines.push(line),
            Some(_) | None => orders.push(Order {
                id: row.id,
                customer_id: row.customer_id,
                state: State::parse(&row.state).ok_or(OrdersError::Damaged("a state"))?,
                currency_code: row.currency_code,
                lines: vec![line],
                total: row.total,
                note: row.note,
                create_time: row.create_time,
                update_time: row.update_time,
                version: row.version,
            }),
        }
    }
    Ok(orders)
}
