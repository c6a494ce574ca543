//! The REST API of the domains, described: `weft openapi`. Nothing is started for it.

use std::io::Write;

use weft_mesh::Domain;

use crate::failure::Failure;

/// Writes the OpenAPI document of the domains, as the edge serves it, or the same as Markdown.
pub(crate) fn show(domains: &[Domain], markdown: bool, out: &mut impl Write) -> Result<(), Failure> {
    let contracts: Vec<_> = domains.iter().map(Domain::contract).collect();
    let document = weft_edge::openapi(&contracts)?;
    if markdown { write!(out, "{}", document.to_markdown()) } else { writeln!(out, "{}", document.to_json()) }
        .map_err(Failure::Output)
}
