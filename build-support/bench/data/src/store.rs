//! A transaction by the store against the same by sqlx alone.

use chrono::Utc;
use uuid::Uuid;
use weft_call::Error;
use weft_store::{Read, Store, Tx};

use crate::{
    arguments::Arguments,
    contest::{Work, compare, micros},
    raw::Raw,
    records::{ADD, Backend, GET, Records, SET, Sold, call},
    report::Report,
};

/// Adds an item, reads it back, and changes it, in one transaction; and publishes that, if asked.
pub(crate) async fn write(store: &Store, id: Uuid, event: Option<&Sold>) -> anyhow::Result<()> {
    let work = async |tx: Tx| {
        tx.run(&ADD).bind(id).bind("teapot").bind(1_i64).bind(Utc::now()).execute().await?;
        let (_, amount): (String, i64) = tx.run(&GET).bind(id).fetch_one().await?;
        tx.run(&SET).bind(id).bind(amount + 1).execute().await?;
        if let Some(event) = event {
            tx.publish(event).await?;
        }
        Ok::<_, Error>(())
    };
    Ok(store.transact(&call(), work).await?)
}

async fn read(store: &Store, id: Uuid) -> anyhow::Result<i64> {
    let (_, amount): (String, i64) =
        store.read(&call(), async |read: Read| Ok(read.run(&GET).bind(id).fetch_one().await?)).await?;
    Ok(amount)
}

pub(crate) async fn measure(databases: &[Backend], arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let text = "A transaction that adds a row, reads it and changes it, and one that reads a row; one after the other. Goal: at most 1.1.";
    report.table("The store against raw sqlx", text, &["", "store", "raw sqlx", "ratio"]);
    for backend in databases {
        let records = Records::open(backend).await?;
        let raw = Raw::open(&records.place).await?;
        let (store, raw) = (&records.shop, &raw);
        let ours: Work<'_> = Box::new(move || Box::pin(write(store, Uuid::now_v7(), None)));
        let theirs: Work<'_> = Box::new(move || Box::pin(raw.write(Uuid::now_v7())));
        row(&format!("{}, write", backend.name()), &ours, &theirs, arguments, report).await?;
        let id = Uuid::now_v7();
        write(store, id, None).await?;
        if matches!(backend, Backend::Sqlite) {
            raw.write(id).await?;
        }
        let ours: Work<'_> = Box::new(move || Box::pin(async move { read(store, id).await.map(drop) }));
        let theirs: Work<'_> = Box::new(move || Box::pin(async move { raw.read(id).await.map(drop) }));
        row(&format!("{}, read", backend.name()), &ours, &theirs, arguments, report).await?;
    }
    Ok(())
}

async fn row(what: &str, ours: &Work<'_>, theirs: &Work<'_>, arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let compared = compare(ours, theirs, arguments.rounds, arguments.seconds).await?;
    report.row(&[what.to_owned(), micros(compared.ours), micros(compared.theirs), format!("{:.2}", compared.ratio)]);
    Ok(())
}
