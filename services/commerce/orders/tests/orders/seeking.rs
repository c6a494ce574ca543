//! Orders are sought by a filter and sorted as asked, a page at a time.

use std::time::Duration;

use weft_contracts_orders::{CancelOrderRequest, ListOrdersRequest, Order};
use weft_mesh::{Error, MeshReason};
use weft_testkit::{Backend, Caller, on_both};

use crate::given::{Shop, fields};

on_both!(a_filter_says_which_and_an_order_in_which_order, what_is_no_filter_is_refused_and_reaches_nobody_elses);

/// Every order that is sought, page by page.
async fn sought(shop: &Shop, who: &Caller, filter: &str, order_by: &str, page_size: i32) -> Result<Vec<Order>, Error> {
    let mut request =
        ListOrdersRequest { filter: filter.into(), order_by: order_by.into(), page_size, ..ListOrdersRequest::default() };
    let mut orders = Vec::new();
    loop {
        let page = shop.orders.list_orders(&who.call(), request.clone()).await?.into_message();
        assert!(page.orders.len() <= usize::try_from(page_size).unwrap());
        orders.extend(page.orders);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(orders);
        }
    }
}

fn totals(orders: &[Order]) -> Vec<i64> {
    orders.iter().map(|order| order.total.as_ref().unwrap().minor_units).collect()
}

/// Orders of the customer's with these totals, each a second after the one before; the second and third are of hats.
async fn place(shop: &Shop) -> Vec<Order> {
    let (cent, hat) = (shop.sell("Cent", 1).await, shop.sell("Hat", 1).await);
    let mut orders = Vec::new();
    for (index, total) in [30, 10, 20, 10, 30, 20, 10].into_iter().enumerate() {
        shop.mesh.clock().advance(Duration::from_secs(1));
        let what = if matches!(index, 1 | 2) { &hat } else { &cent };
        orders.push(shop.order(&shop.customer, &[(what, total)]).await.unwrap());
    }
    let last = orders.last().unwrap().id.clone();
    shop.orders.cancel_order(&shop.customer.call(), CancelOrderRequest { id: last, etag: String::new() }).await.unwrap();
    orders
}

async fn a_filter_says_which_and_an_order_in_which_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    let placed = place(&shop).await;
    let third = placed[2].create_time.as_ref().unwrap().to_string();
    let since = format!("create_time >= {third}");
    let customer = format!("customer_id = {}", shop.customer.id());
    for (filter, order_by, expected) in [
        ("total.minor_units > 10", "", &[20, 30, 20, 30][..]),
        ("", "total.minor_units", &[10, 10, 10, 20, 20, 30, 30]),
        ("", "total.minor_units desc", &[30, 30, 20, 20, 10, 10, 10]),
        ("state = STATE_PLACED", "total.minor_units", &[10, 10, 20, 20, 30, 30]),
        ("NOT state = STATE_PLACED", "", &[10]),
        ("total.minor_units = 10 OR total.minor_units = 30", "create_time", &[30, 10, 10, 30, 10]),
        (&since, "create_time", &[20, 10, 30, 20, 10]),
        (&customer, "create_time", &[30, 10, 20, 10, 30, 20, 10]),
        ("total.currency_code = XXX", "", &[]),
        ("lines.sku:nobody-sells-this", "", &[]),
        ("lines.sku:Hat", "total.minor_units", &[10, 20]),
        ("NOT lines.sku:* OR total.minor_units = 20", "", &[20, 20]),
        ("total.currency_code = EUR AND total.minor_units >= 20", "create_time desc", &[20, 30, 20, 30]),
    ] {
        for who in [&shop.customer, &shop.staff] {
            for page_size in [1, 2, 3, 200] {
                let orders = sought(&shop, who, filter, order_by, page_size).await.unwrap();
                assert_eq!(totals(&orders), expected, "{filter:?} by {order_by:?}, pages of {page_size}");
                assert!(orders.iter().all(|order| order.lines.len() == 1));
            }
        }
    }
    // One way and the other, with orders that are alike in the first.
    let orders = sought(&shop, &shop.customer, "", "total.minor_units desc, create_time", 2).await.unwrap();
    let ids: Vec<_> = orders.iter().map(|order| &order.id).collect();
    assert_eq!(ids, [0, 4, 2, 5, 1, 3, 6].map(|index: usize| &placed[index].id));
}

async fn what_is_no_filter_is_refused_and_reaches_nobody_elses(backend: Backend) {
    let shop = Shop::open(backend).await;
    place(&shop).await;
    let stranger = shop.mesh.user(shop.customer.tenant(), "customer");
    for filter in ["total.minor_units > 0", "total.minor_units > 0 OR total.minor_units <= 0", "NOT lines.sku:nobody-sells-this"]
    {
        assert_eq!(sought(&shop, &stranger, filter, "", 10).await.unwrap(), [], "{filter}");
        assert_eq!(sought(&shop, &shop.neighbour(), filter, "", 10).await.unwrap(), [], "{filter}");
    }
    for (filter, order_by, field) in [
        ("tenant_id = 'x'", "", "filter"),
        ("total.minor_units > ten", "", "filter"),
        ("note = 'x'", "", "filter"),
        ("cent", "", "filter"),
        ("1 = 1) OR (1 = 1", "", "filter"),
        ("", "note", "order_by"),
        ("", "id; DROP TABLE orders", "order_by"),
    ] {
        let error = sought(&shop, &shop.customer, filter, order_by, 10).await.unwrap_err();
        assert_eq!(fields(&error), [field], "{filter:?} {order_by:?}");
    }
    let first = ListOrdersRequest { filter: "total.minor_units > 0".into(), page_size: 2, ..ListOrdersRequest::default() };
    let token = shop.orders.list_orders(&shop.customer.call(), first.clone()).await.unwrap().into_message().next_page_token;
    for (filter, order_by) in [("total.minor_units > 1", ""), ("", ""), ("total.minor_units > 0", "create_time")] {
        let other =
            ListOrdersRequest { filter: filter.into(), order_by: order_by.into(), page_token: token.clone(), ..first.clone() };
        let error = shop.orders.list_orders(&shop.customer.call(), other).await.unwrap_err();
        assert_eq!(error.reason(), Some(MeshReason::PageTokenInvalid), "{filter:?} {order_by:?}");
    }
}
