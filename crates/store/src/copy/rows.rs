//! Rows on their way: many at once, a column an array.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, postgres::PgArguments, query::Query};

use super::{
    target::{Table, quoted},
    value::{Cell, Kind},
};

/// Rows that are inserted at once.
const BATCH_ROWS: usize = 500;
/// About how many bytes of values are held in memory for that.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Rows that wait to be inserted.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<Vec<Cell>>,
    size: usize,
}

impl Batch {
    /// Adds a row; true if it is time to insert them.
    pub(super) fn add(&mut self, row: Vec<Cell>) -> bool {
        self.size += row.iter().map(Cell::size).sum::<usize>();
        self.rows.push(row);
        self.rows.len() >= BATCH_ROWS || self.size >= BATCH_BYTES
    }

    /// Inserts what there is.
    pub(super) async fn insert(&mut self, connection: &mut PgConnection, table: &Table) -> Result<(), sqlx::Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        self.size = 0;
        let mut columns: Vec<Vec<Cell>> = table.kinds.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            columns.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
        }
        let mut query = sqlx::query(AssertSqlSafe(insert(table)));
        for (column, kind) in columns.into_iter().zip(&table.kinds) {
            query = bind(query, column, *kind);
        }
        query.execute(connection).await.map(drop)
    }
}

fn insert(table: &Table) -> String {
    let names: Vec<_> = table.columns.iter().map(|column| quoted(column)).collect();
    let parameter = |(index, kind): (usize, &Kind)| {
        let array = match kind {
            Kind::Uuid => "uuid",
            // An array of JSON values would be taken for one JSON array.
            Kind::Text | Kind::Json => "text",
            Kind::Integer => "bigint",
            Kind::Float => "double precision",
            Kind::Bool => "boolean",
            Kind::Bytes => "bytea",
            Kind::Time => "timestamptz",
        };
        format!("${}::{array}[]", index + 1)
    };
    let value =
        |(name, kind): (&String, &Kind)| if *kind == Kind::Json { format!("r.{name}::jsonb") } else { format!("r.{name}") };
    format!(
        "INSERT INTO {} ({names}) SELECT {} FROM UNNEST({}) AS r ({names})",
        quoted(&table.name),
        names.iter().zip(&table.kinds).map(value).collect::<Vec<_>>().join(", "),
        table.kinds.iter().enumerate().map(parameter).collect::<Vec<_>>().join(", "),
        names = names.join(", "),
    )
}

type Insert = Query<'static, Postgres, PgArguments>;

/// Every cell of a column is of its kind or nothing, as it was read.
fn bind(query: Insert, column: Vec<Cell>, kind: Kind) -> Insert {
    macro_rules! array {
        ($($cell:ident($value:ident) => $bound:expr),+) => {
            column.into_iter().map(|cell| match cell { $(Cell::$cell($value) => Some($bound),)+ _ => None }).collect::<Vec<_>>()
        };
    }
    match kind {
        Kind::Uuid => query.bind(array!(Uuid(value) => value)),
        Kind::Text => query.bind(array!(Text(value) => value)),
        Kind::Integer => query.bind(array!(Integer(value) => value)),
        Kind::Float => query.bind(array!(Float(value) => value)),
        Kind::Bool => query.bind(array!(Bool(value) => value)),
        Kind::Bytes => query.bind(array!(Bytes(value) => value)),
        Kind::Time => query.bind(array!(Time(value) => value)),
        Kind::Json => query.bind(array!(Json(value) => value.to_string())),
    }
}
