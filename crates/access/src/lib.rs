//! Who a caller is and what it may do: user tokens, internal assertions, roles, caller rules.

mod assertion;

pub use assertion::{ASSERTION_METADATA, AssertionError, AssertionSigner, AssertionVerifier, Claims};
