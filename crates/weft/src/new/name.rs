//! What a domain may be called.

use super::NewError;

/// The longest that the store takes.
const LIMIT: usize = 32;

/// Keywords of Rust, and names that the written files use for something else.
const TAKEN: &[&str] = &[
    "abstract",
    "as",
    "async",
    "auth",
    "await",
    "become",
    "box",
    "break",
    "build",
    "call",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "domain",
    "dyn",
    "edge",
    "else",
    "enum",
    "error",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "greeting",
    "greetingid",
    "handler",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "read",
    "ref",
    "reply",
    "result",
    "return",
    "self",
    "sqlx",
    "static",
    "std",
    "store",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "tx",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "uuid",
    "virtual",
    "weft",
    "where",
    "while",
    "yield",
];

/// Checks a name. It becomes a crate, a protobuf package, a schema of a database and a workload's
/// name, so it is what all of them take.
pub(super) fn check(name: &str) -> Result<(), NewError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !starts || name.len() > LIMIT || !name.bytes().all(plain) {
        return Err(NewError::Name { name: name.chars().take(LIMIT).collect() });
    }
    if TAKEN.contains(&name) {
        return Err(NewError::NameTaken { name: name.to_owned() });
    }
    Ok(())
}
