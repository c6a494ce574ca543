//! Etags of versioned records, and the precondition that a caller sends with a change.
//!
//! Sources: AIP-154; RFC 9110 §8.8.3 and §13.1.1. `If-Match` compares strongly: a weak tag never matches.

use weft_call::{Call, Error, MeshReason, Result};

/// The etag of a record's version: `"7"`, quotes included.
pub fn of(version: i64) -> String {
    format!("\"{version}\"")
}

/// Checks the call's `If-Match`, if it has one, against the version that a record has now.
pub fn check(call: &Call, version: i64) -> Result<()> {
    call.if_match().map_or(Ok(()), |expected| expect(expected, version))
}

/// Checks the call's `If-Match` and the `etag` field of its request (AIP-154), where an empty field
/// expects nothing.
pub fn check_with_field(call: &Call, field: &str, version: i64) -> Result<()> {
    check(call, version)?;
    if field.is_empty() { Ok(()) } else { expect(field, version) }
}

fn expect(expected: &str, version: i64) -> Result<()> {
    if matches(expected, version) {
        return Ok(());
    }
    Err(Error::new(MeshReason::EtagMismatch, "the resource changed since its etag was read").with_metadata("etag", of(version)))
}

/// True if one of the tags in `expected` is the version's, or if it is `*`: any version.
fn matches(expected: &str, version: i64) -> bool {
    let current = of(version);
    // A tag of ours holds no comma, so one that does cannot match whichever way it is split.
    expected.trim() == "*" || expected.split(',').any(|tag| tag.trim() == current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_strong_tag_of_the_version_or_a_star_matches() {
        for good in ["\"7\"", "*", "\"3\", \"7\"", "\"7\" , W/\"8\""] {
            assert!(matches(good, 7), "{good}");
        }
        for bad in ["\"8\"", "W/\"7\"", "7", "", "\"77\"", "\"*\""] {
            assert!(!matches(bad, 7), "{bad}");
        }
    }
}
