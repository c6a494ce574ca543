//! The graph as a flowchart for Mermaid (its documentation, "Flowcharts - Basic Syntax").

use std::{collections::BTreeSet, fmt::Write};

use super::Edge;

/// `names` are shown even if nobody calls them.
pub(super) fn render(names: &[&str], edges: &[Edge]) -> String {
    let nodes: BTreeSet<_> = names.iter().copied().chain(edges.iter().map(|edge| edge.caller.as_str())).collect();
    let mut text = "flowchart LR\n".to_owned();
    // Writing to a String does not fail.
    for name in nodes {
        let _ = writeln!(text, "    {}[\"{name}\"]", id(name));
    }
    for edge in edges {
        let Edge { caller, callee, methods, of } = edge;
        let some = if edge.is_whole() { String::new() } else { format!("|{} of {of}|", methods.len()) };
        let _ = writeln!(text, "    {} -->{some} {}", id(caller), id(callee));
    }
    text
}

/// Names may be words of Mermaid's own, such as `end`, and it cuts ids at dashes. No name has an underscore.
fn id(name: &str) -> String {
    format!("domain_{}", name.replace('-', "_"))
}
