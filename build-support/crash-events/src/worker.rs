//! A process that works until it is killed.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weft_call::{Clock, Error};
use weft_events::{Carrier, Consumer, InProcess, Relay};
use weft_store::{Store, Tx};
use weft_telemetry::Metrics;

use crate::{
    Arguments, Result, Role,
    records::{ADD_STEP, GHOST, NEXT_NUMBER, Records, Stepped, call, handler},
};

/// How long the work of a dead process stays undone.
const LEASE: Duration = Duration::from_secs(1);
/// Tasks that change records at once, and the things that they change.
const WRITERS: usize = 4;
const KEYS: usize = 12;
/// One change in so many is rolled back after it has published.
const GHOSTS: usize = 8;

/// The file of what was answered.
pub(crate) fn answers(folder: &Path) -> PathBuf {
    folder.join("answered")
}

/// The file that says how many changes may have been made by now.
pub(crate) fn released(folder: &Path) -> PathBuf {
    folder.join("released")
}

/// The file that a process leaves when it makes no more changes.
pub(crate) fn word(folder: &Path, process: u32) -> PathBuf {
    folder.join(format!("written-{process}"))
}

pub(crate) async fn run(role: Role, arguments: &Arguments) -> Result<()> {
    let records = open(arguments).await;
    let handler = handler()?;
    let carrier: Arc<dyn Carrier> = match &arguments.carrier_url {
        Some(address) => weft_events::connect(&address.clone().into(), "weft", [("mail", vec![handler.pattern.clone()])])?,
        None => Arc::new(InProcess::new([("mail", vec![handler.pattern.clone()])])),
    };
    let (clock, metrics, stop) = (Clock::system(), Metrics::new(), CancellationToken::new());
    let mut works = JoinSet::new();
    if matches!(role, Role::Relay | Role::All) {
        let relay = Relay::new(records.shop.clone(), Arc::clone(&carrier), clock.clone(), LEASE, metrics.clone());
        works.spawn(relay.run(stop.clone()));
    }
    if matches!(role, Role::Consume | Role::All) {
        let sources = vec!["shop".to_owned()];
        let consumer = Consumer::new(records.mail.clone(), carrier, clock, LEASE, vec![handler], sources, metrics);
        works.spawn(consumer.run(stop.clone()));
    }
    if matches!(role, Role::Publish | Role::All) {
        works.spawn(write_all(records.shop.clone(), arguments.folder.clone(), arguments.changes));
    }
    while works.join_next().await.is_some() {}
    // Nothing is left to do, and whoever started this process ends it.
    std::future::pending().await
}

/// Opens the records, however often the database is killed meanwhile.
async fn open(arguments: &Arguments) -> Records {
    loop {
        match Records::open(arguments.database_url.as_deref(), &arguments.folder).await {
            Ok(records) => return records,
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "the records cannot be opened yet: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Makes changes by several tasks, and leaves word when all of them have ended.
async fn write_all(shop: Store, folder: PathBuf, enough: usize) {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(shop.clone(), folder.clone(), enough));
    }
    while writers.join_next().await.is_some() {}
    // Without it the run ends as too slow, and says so.
    let _ = fs::write(word(&folder, std::process::id()), "");
}

/// Makes the changes that are released until there are enough, and notes those that were answered.
async fn write(shop: Store, folder: PathBuf, enough: usize) {
    loop {
        // Half-written or not there, it releases none, and is read again.
        let released = fs::read_to_string(released(&folder)).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        match Records::count(&shop).await {
            Ok(count) if count >= enough => return,
            Ok(count) if count < released => {
                let (key, is_ghost) = (format!("thing-{}", fastrand::usize(..KEYS)), fastrand::usize(..GHOSTS) == 0);
                if let Ok(number) = change(&shop, &key, is_ghost).await {
                    // One write at the end of the file: lines of several tasks stay whole.
                    let file = OpenOptions::new().create(true).append(true).open(answers(&folder));
                    let _ = file.and_then(|mut file| file.write_all(format!("{key} {number}\n").as_bytes()));
                }
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            // The database is being restarted.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Adds the next step of a thing and says so, or takes both back.
async fn change(shop: &Store, key: &str, is_ghost: bool) -> weft_call::Result<i64> {
    let work = async |tx: Tx| {
        let number: i64 = tx.run(&NEXT_NUMBER).bind(key).fetch_value().await?;
        tx.run(&ADD_STEP).bind(key).bind(number).bind(number).execute().await?;
        let said = if is_ghost { GHOST } else { number };
        tx.publish(&Stepped { what: key.to_owned(), number: said }).await?;
        if is_ghost { Err(Error::invalid_field("number", "this change is taken back")) } else { Ok(number) }
    };
    shop.transact(&call(), work).await
}
