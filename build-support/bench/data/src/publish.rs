//! A transaction that publishes an event against the same that does not.

use uuid::Uuid;

use crate::{
    arguments::Arguments,
    contest::{Work, compare, micros},
    records::{Backend, Records, Sold},
    report::Report,
    store::write,
};

pub(crate) async fn measure(databases: &[Backend], arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let text = "The transaction above, which adds a row, reads it and changes it, with one event and without. Goal: at most 1.3.";
    report.table("Publishing an event", text, &["", "with", "without", "ratio"]);
    for backend in databases {
        let records = Records::open(backend).await?;
        let (store, event) = (&records.shop, &Sold::number(1));
        let with: Work<'_> = Box::new(move || Box::pin(write(store, Uuid::now_v7(), Some(event))));
        let without: Work<'_> = Box::new(move || Box::pin(write(store, Uuid::now_v7(), None)));
        let compared = compare(&with, &without, arguments.rounds, arguments.seconds).await?;
        let ratio = format!("{:.2}", compared.ratio);
        report.row(&[backend.name().to_owned(), micros(compared.ours), micros(compared.theirs), ratio]);
    }
    Ok(())
}
