//! A page far behind against the first, by the token that the page before gave.

use chrono::{DateTime, TimeZone, Utc};
use sqlx::{Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;
use weft_store::{Read, Store};

use crate::{
    arguments::Arguments,
    contest::{Work, compare, micros},
    records::{Backend, LIST, Place, Records, TENANT, call},
    report::Report,
};

/// Rows of a page.
const SIZE: i64 = 100;
const BINDING: &str = "items?created_at";

type Item = (Uuid, String, i64, DateTime<Utc>);

/// One page, and the token of the next.
async fn page(store: &Store, token: &str) -> anyhow::Result<(Vec<Item>, String)> {
    let call = call();
    let behind: Option<(DateTime<Utc>, Uuid)> = store.page_tokens().open(&call, BINDING, token)?;
    let (time, id) = behind.unwrap_or((DateTime::UNIX_EPOCH, Uuid::nil()));
    let list = async |read: Read| Ok(read.run(&LIST).bind(time).bind(id).bind(SIZE).fetch_all::<Item>().await?);
    let items = store.read(&call, list).await?;
    anyhow::ensure!(items.len() == usize::try_from(SIZE)?, "a page has {} rows", items.len());
    let (id, _, _, time) = &items[items.len() - 1];
    let next = store.page_tokens().seal(&call, BINDING, &(time, id))?;
    Ok((items, next))
}

pub(crate) async fn measure(databases: &[Backend], arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let (rows, last) = (arguments.rows, arguments.rows / SIZE);
    let text =
        format!("Pages of {SIZE} of {rows} rows, in order of time, each by the token of the one before. Goal: at most 1.5.");
    report.table("Paging", &text, &["", &format!("page {last}"), "page 1", "ratio"]);
    for backend in databases {
        let records = Records::open(backend).await?;
        fill(&records.place, rows).await?;
        let store = &records.shop;
        let token = &before_last(store, rows)?;
        let (items, _) = page(store, token).await?;
        anyhow::ensure!(items[items.len() - 1].2 == rows - 1, "the last page ends with {:?}", items[items.len() - 1]);
        let far: Work<'_> = Box::new(move || Box::pin(async move { page(store, token).await.map(drop) }));
        let first: Work<'_> = Box::new(move || Box::pin(async move { page(store, "").await.map(drop) }));
        let compared = compare(&far, &first, arguments.rounds, arguments.seconds).await?;
        let ratio = format!("{:.2}", compared.ratio);
        report.row(&[backend.name().to_owned(), micros(compared.ours), micros(compared.theirs), ratio]);
    }
    Ok(())
}

/// When the row of a number was made.
fn time(number: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(1_700_000_000 + number, 0).single().unwrap_or_default()
}

/// The token of the last page: of the row before its first.
fn before_last(store: &Store, rows: i64) -> anyhow::Result<String> {
    let number = rows - SIZE - 1;
    let id = Uuid::from_u128(u128::try_from(number)?);
    Ok(store.page_tokens().seal(&call(), BINDING, &(time(number), id))?)
}

/// Puts rows there, whose numbers are their ids and amounts and, in seconds, their times.
async fn fill(place: &Place, rows: i64) -> anyhow::Result<()> {
    match place {
        Place::Url(url) => {
            let mut connection = PgConnection::connect(url).await?;
            let fill = sqlx::query(
                "INSERT INTO weft_shop.items SELECT $1, CAST(lpad(to_hex(n), 32, '0') AS UUID), 'teapot', n, \
                 to_timestamp(1700000000 + n) FROM generate_series(CAST(0 AS BIGINT), $2 - 1) AS n",
            );
            fill.bind(TENANT.0).bind(rows).execute(&mut connection).await?;
            sqlx::raw_sql("VACUUM ANALYZE weft_shop.items").execute(&mut connection).await?;
            connection.close().await?;
        }
        Place::Folder(folder) => {
            let options = SqliteConnectOptions::new().filename(folder.join("shop.db"));
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let mut transaction = connection.begin().await?;
            for number in 0..rows {
                let id = Uuid::from_u128(u128::try_from(number)?);
                let add = sqlx::query(crate::records::ADD_TEXT).bind(TENANT.0).bind(id).bind("teapot").bind(number);
                add.bind(time(number)).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            sqlx::raw_sql("ANALYZE").execute(&mut connection).await?;
            connection.close().await?;
        }
    }
    Ok(())
}
