//! The relay against the carrier's own client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_call::{BoxFuture, Clock, Error};
use weft_events::{Carrier, CarrierError, Envelope, LEASE, Relay, Source, Subscription, log};
use weft_store::Tx;
use weft_telemetry::Metrics;

use crate::{
    arguments::Arguments,
    carriers::{By, Client, Servers},
    contest::median,
    records::{Backend, Records, Sold, call, system},
    report::Report,
};

/// Events that one transaction publishes, to have many soon.
const AT_ONCE: usize = 500;

/// A carrier that counts what it has sent.
#[derive(Debug)]
struct Counting {
    carrier: Arc<dyn Carrier>,
    sent: AtomicUsize,
    changed: Notify,
}

impl Counting {
    async fn wait_for(&self, count: usize) {
        loop {
            let changed = self.changed.notified();
            if self.sent.load(Ordering::SeqCst) >= count {
                return;
            }
            changed.await;
        }
    }
}

impl Carrier for Counting {
    fn send<'a>(&'a self, source: &'a str, events: &'a [Envelope]) -> BoxFuture<'a, Result<(), CarrierError>> {
        Box::pin(async move {
            self.carrier.send(source, events).await?;
            self.sent.fetch_add(events.len(), Ordering::SeqCst);
            self.changed.notify_waiters();
            Ok(())
        })
    }

    fn subscribe(&self, subscription: Subscription) -> BoxFuture<'_, Result<Box<dyn Source>, CarrierError>> {
        self.carrier.subscribe(subscription)
    }
}

pub(crate) async fn measure(
    backend: &Backend,
    servers: &Servers,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let text = format!(
        "{} events that wait in PostgreSQL are relayed; the carrier's own client sends the same texts from memory, {} at a time, and \
         awaits the same acknowledgements. Goal: at least 70 %.",
        arguments.events,
        crate::carriers::BATCH
    );
    report.table("The relay against the carriers' own clients", &text, &["", "relay, events/s", "client, events/s", "share"]);
    for by in By::BETWEEN_PROCESSES {
        let records = Records::open(backend).await?;
        let namespace = format!("bench-{}", Uuid::now_v7().simple());
        let (client, carrier) = (servers.client(by, &namespace).await?, servers.carrier(by, &namespace)?);
        let (mut ours, mut theirs, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        // The first round is not counted: streams are made and connections opened.
        for round in 0..=arguments.rounds {
            publish(&records, arguments.events).await?;
            let relayed = relay(&records, &carrier, arguments.events).await?;
            let sent = send(&records, &client, arguments.events).await?;
            if round > 0 {
                let per_second =
                    |time: Duration| f64::from(u32::try_from(arguments.events).unwrap_or(u32::MAX)) / time.as_secs_f64();
                ours.push(per_second(relayed));
                theirs.push(per_second(sent));
                shares.push(sent.as_secs_f64() / relayed.as_secs_f64());
            }
        }
        let share = format!("{:.0} %", median(shares) * 100.0);
        report.row(&[by.name().to_owned(), format!("{:.0}", median(ours)), format!("{:.0}", median(theirs)), share]);
    }
    Ok(())
}

/// Leaves events that nobody relays yet.
async fn publish(records: &Records, count: usize) -> anyhow::Result<()> {
    for first in (0..count).step_by(AT_ONCE) {
        let work = async |tx: Tx| {
            for number in first..count.min(first + AT_ONCE) {
                tx.publish(&Sold::number(number as u64)).await?;
            }
            Ok::<_, Error>(())
        };
        records.shop.transact(&call(), work).await?;
    }
    Ok(())
}

/// How long a relay takes until the carrier has all of them.
async fn relay(records: &Records, carrier: &Arc<dyn Carrier>, count: usize) -> anyhow::Result<Duration> {
    let counting = Arc::new(Counting { carrier: Arc::clone(carrier), sent: AtomicUsize::new(0), changed: Notify::new() });
    let carrier: Arc<dyn Carrier> = counting.clone();
    let relay = Relay::new(records.shop.clone(), carrier, Clock::system(), LEASE, Metrics::new());
    let stop = CancellationToken::new();
    let start = Instant::now();
    let running = tokio::spawn(relay.run(stop.clone()));
    counting.wait_for(count).await;
    let time = start.elapsed();
    while log::backlog(&records.shop, &system()).await?.count > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await?;
    Ok(time)
}

/// How long the client takes for the texts of as many events.
async fn send(records: &Records, client: &Client, count: usize) -> anyhow::Result<Duration> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let first = i64::try_from(texts.len())?;
        texts.extend(log::after(&records.shop, &system(), first, 1000).await?.iter().map(Envelope::to_json));
        texts.truncate(count);
    }
    let start = Instant::now();
    client.send(&texts).await?;
    Ok(start.elapsed())
}
