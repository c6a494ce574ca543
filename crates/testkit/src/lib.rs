//! A whole mesh inside a test.
