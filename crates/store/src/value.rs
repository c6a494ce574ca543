//! What can be bound to a statement and read from a row, on both databases.
//!
//! The types that mean the same on both: `Uuid`, `DateTime<Utc>` (whole microseconds, as
//! [`weft_call::Clock`] gives), `String`, `i64`, `bool`, `Vec<u8>`, [`crate::Json`] of objects and
//! arrays, and `Option` of each.

use sqlx::{Decode, Encode, FromRow, Postgres, Sqlite, Type, postgres::PgRow, sqlite::SqliteRow};

/// A value that can be bound to a statement. References to values are values.
pub trait Value: for<'q> Encode<'q, Postgres> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + Type<Sqlite> {}

impl<T> Value for T where T: for<'q> Encode<'q, Postgres> + Type<Postgres> + for<'q> Encode<'q, Sqlite> + Type<Sqlite> {}

/// A value that can be read from a column.
pub trait Column: for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite> {}

impl<T> Column for T where T: for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite> {}

/// A row as a Rust value: a struct with `#[derive(sqlx::FromRow)]`, or a tuple of columns.
pub trait Record: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}

impl<T> Record for T where T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> {}
