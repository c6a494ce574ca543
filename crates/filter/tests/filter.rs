//! What is read as a filter or an order, what it becomes, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use uuid::Uuid;
use weft_filter::{Field, Filter, FilterError, Kind, List, Order, OrderError, Piece, Place, Value};

const fn column(name: &'static str, column: &'static str, kind: Kind, is_ordered: bool) -> Field {
    Field { name, kind, place: Place::Column(column), order: if is_ordered { Some(column) } else { None } }
}

const STATES: Kind = Kind::Word(&[("STATE_PLACED", "placed"), ("STATE_CANCELLED", "cancelled")]);
const LINES: &str = "SELECT 1 FROM lines AS l WHERE l.order_id = orders.id";

static FIELDS: &[Field] = &[
    column("state", "state", STATES, false),
    column("total.minor_units", "total", Kind::Integer, true),
    Field { name: "note", kind: Kind::Text, place: Place::Column("note"), order: Some("sort_note") },
    column("paid", "paid", Kind::Bool, false),
    column("create_time", "create_time", Kind::Time, true),
    column("customer_id", "customer_id", Kind::Uuid, false),
    Field { name: "delete_time", kind: Kind::Time, place: Place::Nullable("delete_time"), order: None },
    Field { name: "lines.sku", kind: Kind::Text, place: Place::Rows { select: LINES, column: "l.sku" }, order: None },
];
static ID: Field = column("id", "id", Kind::Uuid, true);

fn sql(text: &str) -> String {
    Filter::parse(text, FIELDS).unwrap_or_else(|error| panic!("{text}: {error}")).clause().to_string()
}

fn values(text: &str) -> Vec<Value> {
    let value = |piece: &Piece| match piece {
        Piece::Value(value) => Some(value.clone()),
        Piece::Sql(_) => None,
    };
    Filter::parse(text, FIELDS).unwrap().clause().pieces().iter().filter_map(value).collect()
}

#[test]
fn a_filter_becomes_conditions_whose_values_are_bound() {
    for (text, expected) in [
        ("", ""),
        ("  ", ""),
        ("total.minor_units >= 100", " AND (total >= ?)"),
        ("total.minor_units>=100", " AND (total >= ?)"),
        ("paid = true AND note != 'a b'", " AND ((paid = ?) AND (note <> ?))"),
        ("paid = true note != 'a b'", " AND ((paid = ?) AND (note <> ?))"),
        // AIP-160: OR binds closer than AND.
        ("paid = true AND note = a OR note = b", " AND ((paid = ?) AND ((note = ?) OR (note = ?)))"),
        ("(paid = true AND note = a) OR note = b", " AND (((paid = ?) AND (note = ?)) OR (note = ?))"),
        ("NOT paid = true", " AND (NOT (paid = ?))"),
        ("-(paid = true OR paid = false)", " AND (NOT ((paid = ?) OR (paid = ?)))"),
        ("create_time < 2026-01-01T00:00:00+02:00", " AND (create_time < ?)"),
        ("create_time < \"2026-01-01T00:00:00Z\"", " AND (create_time < ?)"),
        ("delete_time:*", " AND (delete_time IS NOT NULL)"),
        ("delete_time > 2026-01-01T00:00:00Z", " AND ((delete_time IS NOT NULL AND delete_time > ?))"),
        ("delete_time != 2026-01-01T00:00:00Z", " AND ((delete_time IS NULL OR delete_time <> ?))"),
        ("lines.sku:A-1", " AND (EXISTS (SELECT 1 FROM lines AS l WHERE l.order_id = orders.id AND l.sku = ?))"),
        ("-lines.sku:*", " AND (NOT (EXISTS (SELECT 1 FROM lines AS l WHERE l.order_id = orders.id)))"),
    ] {
        assert_eq!(sql(text), expected, "{text}");
    }
    let placed =
        values("state = STATE_PLACED AND note = \"say \\\"hi\\\" \\\\ -- '; DROP TABLE orders\" AND total.minor_units > -5");
    let note = "say \"hi\" \\ -- '; DROP TABLE orders".to_owned();
    assert_eq!(placed, [Value::Text("placed".to_owned()), Value::Text(note), Value::Integer(-5)]);
}

#[test]
fn what_is_no_filter_is_refused_where_it_stops_being_one() {
    for (text, told) in [
        ("colour = red", "at 1: `colour` cannot be filtered by; there are state, total.minor_units,"),
        ("paid = true AND colour = red", "at 17: `colour`"),
        ("red", "at 1: a value alone is not searched for: write a comparison such as `state = ..`"),
        ("paid = true \"red hat\"", "at 13: a value alone"),
        ("paid = true 100", "at 13: a value alone"),
        ("sqrt(paid) = 1", "at 1: there is no function `sqrt`"),
        ("paid", "at 5: `paid` is compared by =, !="),
        ("paid : true", "at 6: `paid` is compared by =, !="),
        ("paid:*", "at 5: `paid` is compared by =, !="),
        ("paid = maybe", "at 8: `paid` is compared with true or false"),
        ("state = placed", "one of STATE_PLACED, STATE_CANCELLED"),
        ("state = STATE_UNSPECIFIED", "one of STATE_PLACED, STATE_CANCELLED"),
        ("note < b", "at 6: `note` is compared by =, !="),
        ("customer_id > 0192", "is compared by =, !="),
        ("lines.sku = a", "at 11: `lines.sku` is compared by :"),
        ("delete_time:2026-01-01T00:00:00Z", "at 12: `delete_time` is compared by =, !=, <, <=, >, >=, :*"),
        ("total.minor_units = 1.5", "a whole number"),
        ("total.minor_units = 99999999999999999999", "a whole number"),
        ("total.minor_units = (1 OR 2)", "a whole number"),
        ("create_time > yesterday", "a time such as"),
        ("create_time > 12026-01-01T00:00:00Z", "a time such as"),
        ("create_time > 2016-12-31T23:59:60Z", "a time such as"),
        ("note =", "at 7: `note` is compared with a text"),
        ("note = '\0'", "at 8: `note` is compared with a text without NUL"),
        ("note = 'open", "at 8: a quote is not closed"),
        ("note = 'open\\'", "at 8: a quote is not closed"),
        ("note = a*", "at 9: a value with other signs"),
        ("note = a,b", "at 9: a value with other signs"),
        ("note = 'a'b", "at 11: a value with other signs"),
        ("note = a=b", "at 9: a value with other signs"),
        ("(paid = true", "at 13: a closing parenthesis"),
        ("paid = true)", "at 12: a comparison such as"),
        ("paid = true AND", "at 16: a comparison"),
        ("OR paid = true", "at 1: a comparison"),
        ("paid = true OR AND paid = true", "at 16: a comparison"),
        ("()", "at 2: a comparison"),
        ("ä = 1", "at 1: a comparison"),
    ] {
        let error = Filter::parse(text, FIELDS).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn length_depth_and_number_are_limited() {
    let deep = |depth: usize| format!("{}paid = true{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&deep(9), FIELDS).is_ok());
    assert_eq!(Filter::parse(&deep(10), FIELDS), Err(FilterError::TooDeep));
    assert_eq!(Filter::parse(&"-".repeat(900), FIELDS), Err(FilterError::TooDeep));
    let many = |count: usize| vec!["paid = true"; count].join(" AND ");
    assert!(Filter::parse(&many(25), FIELDS).is_ok());
    assert_eq!(Filter::parse(&many(26), FIELDS), Err(FilterError::TooMany));
    assert_eq!(Filter::parse(&format!("note = '{}'", "x".repeat(1000)), FIELDS), Err(FilterError::TooLong));
}

#[test]
fn an_order_says_what_comes_first_and_where_a_page_goes_on() {
    let order = |text| Order::parse(text, FIELDS, ID).unwrap();
    let (time, id) = (Value::Time("2026-01-01T00:00:00Z".parse().unwrap()), Value::Uuid(Uuid::nil()));
    let newest = order("create_time desc");
    assert_eq!(newest.clause().to_string(), "create_time DESC, id DESC");
    assert_eq!(newest.behind(&[time.clone(), id.clone()]).unwrap().to_string(), " AND ((create_time, id) < (?, ?))");
    assert_eq!(newest.fields().collect::<Vec<_>>(), ["create_time", "id"]);
    let mixed = order(" total.minor_units desc ,create_time asc");
    assert_eq!(mixed.clause().to_string(), "total DESC, create_time, id");
    let behind = mixed.behind(&[Value::Integer(5), time.clone(), id.clone()]).unwrap();
    assert_eq!(
        behind.to_string(),
        " AND ((total < ?) OR (total = ? AND create_time > ?) OR (total = ? AND create_time = ? AND id > ?))"
    );
    let by_note = order("note").behind(&[Value::Bytes("a".to_owned()), id.clone()]).unwrap();
    assert_eq!(by_note.to_string(), " AND ((sort_note, id) > (?, ?))");
    assert_eq!(order("").behind(std::slice::from_ref(&id)).unwrap().to_string(), " AND ((id) > (?))");
    for wrong in [vec![], vec![id.clone()], vec![id.clone(), time.clone()], vec![time, id.clone(), id]] {
        assert_eq!(newest.behind(&wrong), Err(OrderError::ValuesUnfit));
    }
}

#[test]
fn what_is_no_order_is_refused() {
    for (text, told) in [
        ("colour", "`colour` cannot be ordered by; there are total.minor_units, note, create_time"),
        ("paid", "`paid` cannot be ordered by"),
        ("total", "`total` cannot be ordered by"),
        ("create_time, total.minor_units, note, paid", "at most 3 fields"),
        ("create_time down", "is no part of an order"),
        ("create_time,", "is no part of an order"),
        ("create_time desc desc", "is no part of an order"),
        ("create_time, create_time desc", "`create_time` is named twice"),
    ] {
        let error = Order::parse(text, FIELDS, ID).unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    assert_eq!(Order::parse(&"a,".repeat(101), FIELDS, ID), Err(OrderError::TooLong));
}

#[test]
fn a_list_binds_its_tokens_to_filter_and_order_and_keeps_few_statements() {
    let list = List { fields: FIELDS, default_order: "create_time desc" };
    let seek = |filter, order_by| list.seek(filter, order_by).unwrap();
    assert_eq!(seek(" ", "").binding(), seek("", " create_time desc ").binding());
    let different = [seek("", ""), seek("", "create_time"), seek("paid = true", ""), seek("paid = false", "")];
    for (index, one) in different.iter().enumerate() {
        assert!(different[index + 1..].iter().all(|other| one.binding() != other.binding()));
    }
    let is_usual = |filter, order_by| seek(filter, order_by).page(None).unwrap().is_usual;
    assert!(is_usual("", "") && is_usual("", "total.minor_units desc"));
    assert!(!is_usual("paid = true", "") && !is_usual("", "total.minor_units, create_time"));
    let (time, id) = (Value::Time("2026-01-01T00:00:00Z".parse().unwrap()), Value::Uuid(Uuid::nil()));
    let page = seek("paid = true", "").page(Some(&[time, id])).unwrap();
    assert_eq!(page.conditions.to_string(), " AND (paid = ?) AND ((create_time, id) < (?, ?))");
    let error = weft_call::Error::from(list.seek("paid", "").unwrap_err());
    assert_eq!(error.violations()[0].field, "filter");
    let error = weft_call::Error::from(list.seek("", "paid").unwrap_err());
    assert_eq!(error.violations()[0].field, "order_by");
}

proptest! {
    /// Whatever a stranger writes: it is read or refused, and no letter of it becomes SQL.
    #[test]
    fn no_text_of_a_stranger_becomes_sql(text in "(?:[a-z_.]{1,12}|state|note|paid|total.minor_units| |=|!=|<|\\(|\\)|\"|'|\\\\|AND|OR|NOT|-|;|\\$1|[0-9]{1,4}|é){0,30}") {
        if let Ok(filter) = Filter::parse(&text, FIELDS) {
            let clause = filter.clause();
            let parameters = clause.pieces().iter().filter(|piece| matches!(piece, Piece::Value(_))).count();
            prop_assert_eq!(clause.to_string().matches('?').count(), parameters, "{}", text);
            prop_assert_eq!(clause.to_string().matches('(').count(), clause.to_string().matches(')').count());
        }
        let _ = Order::parse(&text, FIELDS, ID);
    }

    /// Whatever it is.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), value in any::<String>()) {
        let _ = (Filter::parse(&text, FIELDS), Order::parse(&text, FIELDS, ID));
        let quoted = format!("note = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        match Filter::parse(&quoted, FIELDS) {
            Ok(filter) => prop_assert!(filter.clause().pieces().contains(&Piece::Value(Value::Text(value)))),
            Err(FilterError::ValueInvalid { .. }) => prop_assert!(value.contains('\0')),
            Err(error) => prop_assert_eq!(error, FilterError::TooLong),
        }
    }
}
