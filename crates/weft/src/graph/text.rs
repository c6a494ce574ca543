//! The graph for people.

use super::Edge;
use crate::routes::{Form, table};

pub(super) fn render(edges: &[Edge], form: Form) -> String {
    let mut rows = table(form, &["CALLER", "MAY CALL", "METHODS"]);
    for edge in edges {
        let methods = if edge.is_whole() { "all".to_owned() } else { edge.methods.join(", ") };
        rows.add_row([edge.caller.as_str(), edge.callee, &methods]);
    }
    rows.trim_fmt()
}
