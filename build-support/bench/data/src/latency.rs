//! From a commit to its handler, at half of the load that can be borne.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use weft_call::{BoxFuture, Call, Clock, Error, TopicPattern};
use weft_events::{Carrier, Consumer, Envelope, Handler, LEASE, Relay};
use weft_store::{Store, Tx};
use weft_telemetry::Metrics;

use crate::{
    arguments::Arguments,
    carriers::{By, Servers},
    records::{ADD, Backend, Records, Sold},
    report::Report,
    store::write,
};

/// Who publishes at once when as much is asked for as can be borne.
const PUBLISHERS: u64 = 8;
/// Events of one measurement, at most.
const MOST: usize = 200_000;
/// How long effects may be awaited.
const PATIENCE: Duration = Duration::from_mins(1);

/// When each event was committed, and when its handler began.
struct Times {
    committed: Vec<OnceLock<Instant>>,
    handled: Vec<OnceLock<Instant>>,
    count: AtomicUsize,
}

impl Times {
    fn new() -> Arc<Self> {
        let none = || (0..MOST).map(|_| OnceLock::new()).collect();
        Arc::new(Self { committed: none(), handled: none(), count: AtomicUsize::new(0) })
    }

    /// What `count` events took behind the first, sorted.
    fn latencies(&self, first: usize, count: usize) -> Vec<Duration> {
        let both = self.committed.iter().zip(&self.handled).skip(first).take(count);
        let mut all: Vec<_> = both.filter_map(|(from, to)| Some(to.get()?.saturating_duration_since(*from.get()?))).collect();
        all.sort();
        all
    }
}

pub(crate) async fn measure(
    databases: &[Backend],
    servers: &Servers,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let text = "Each event is published by a transaction of its own and handled by another, which adds a row. First as many as can be \
                borne, by eight publishers at once; then half as many a second, and from each commit to the beginning of its handler:";
    report.table("From a commit to the handler", text, &["", "most, events/s", "load, events/s", "median", "p99"]);
    let seconds = Duration::from_secs_f64(arguments.seconds * 5.0);
    for backend in databases {
        let carriers: &[By] = match backend {
            Backend::Sqlite => &[By::InProcess],
            Backend::Postgres(_) => &[By::InProcess, By::Redis, By::Nats, By::RabbitMq, By::Kafka],
        };
        for by in carriers {
            let records = Records::open(backend).await?;
            let carrier = servers.carrier(*by, &format!("bench-{}", Uuid::now_v7().simple()))?;
            let most = Flow::start(&records, &carrier).most(seconds).await?;
            let load = most / 2.0;
            let latencies = Flow::start(&records, &carrier).at(load, seconds).await?;
            let at = |share: f64| {
                let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
                format!("{:.1} ms", latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3)
            };
            let name = format!("{}, {}", backend.name(), by.name());
            report.row(&[name, format!("{most:.0}"), format!("{load:.0}"), at(0.5), at(0.99)]);
        }
    }
    Ok(())
}

/// A relay and a consumer that run.
struct Flow {
    shop: Store,
    times: Arc<Times>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Flow {
    fn start(records: &Records, carrier: &Arc<dyn Carrier>) -> Self {
        let (times, stop, mut running) = (Times::new(), CancellationToken::new(), JoinSet::new());
        let relay = Relay::new(records.shop.clone(), Arc::clone(carrier), Clock::system(), LEASE, Metrics::new());
        running.spawn(relay.run(stop.clone()));
        let handler = Handler { pattern: TopicPattern::all(), handle: handle(&times) };
        let (mail, sources) = (records.mail.clone(), vec!["shop".to_owned()]);
        let consumer = Consumer::new(mail, Arc::clone(carrier), Clock::system(), LEASE, vec![handler], sources, Metrics::new());
        running.spawn(consumer.run(stop.clone()));
        Self { shop: records.shop.clone(), times, stop, running }
    }

    /// Events a second that are published and handled, when as many are published as can be.
    async fn most(self, time: Duration) -> anyhow::Result<f64> {
        self.warm().await?;
        let (start, before) = (Instant::now(), self.times.count.load(Ordering::SeqCst));
        let mut publishers = JoinSet::new();
        let next = Arc::new(AtomicUsize::new(before));
        for _ in 0..PUBLISHERS {
            let (shop, times, next) = (self.shop.clone(), Arc::clone(&self.times), Arc::clone(&next));
            publishers.spawn(async move {
                while start.elapsed() < time {
                    publish(&shop, &times, next.fetch_add(1, Ordering::SeqCst)).await?;
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        while let Some(published) = publishers.join_next().await {
            published??;
        }
        let count = next.load(Ordering::SeqCst);
        self.wait_for(count).await?;
        let rate = (count - before) as f64 / start.elapsed().as_secs_f64();
        self.end().await;
        Ok(rate)
    }

    /// What events took at so many a second, sorted.
    async fn at(self, rate: f64, time: Duration) -> anyhow::Result<Vec<Duration>> {
        self.warm().await?;
        let first = self.times.count.load(Ordering::SeqCst);
        let count = ((rate * time.as_secs_f64()) as usize).min(MOST - first);
        let mut clock = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut publishing = JoinSet::new();
        for number in first..first + count {
            clock.tick().await;
            let (shop, times) = (self.shop.clone(), Arc::clone(&self.times));
            publishing.spawn(async move { publish(&shop, &times, number).await });
        }
        while let Some(published) = publishing.join_next().await {
            published??;
        }
        self.wait_for(first + count).await?;
        // Those that found everything being opened are not among them.
        let latencies = self.times.latencies(first, count);
        anyhow::ensure!(latencies.len() == count, "{} of {count} events have their times", latencies.len());
        self.end().await;
        Ok(latencies)
    }

    /// Has a few events through.
    async fn warm(&self) -> anyhow::Result<()> {
        for number in 0..20 {
            publish(&self.shop, &self.times, number).await?;
        }
        self.wait_for(20).await
    }

    async fn wait_for(&self, count: usize) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.times.count.load(Ordering::SeqCst) < count {
            anyhow::ensure!(Instant::now() < end, "{} of {count} events were handled", self.times.count.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn end(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}

async fn publish(shop: &Store, times: &Times, number: usize) -> anyhow::Result<()> {
    write(shop, Uuid::now_v7(), Some(&Sold::number(number as u64))).await?;
    let _ = times.committed.get(number).map(|time| time.set(Instant::now()));
    Ok(())
}

/// Notes the time, and adds a row.
fn handle(times: &Arc<Times>) -> weft_events::Handle {
    let times = Arc::clone(times);
    Arc::new(move |_: &Call, tx: &Tx, event: &Envelope| -> BoxFuture<'_, Result<(), Error>> {
        let began = Instant::now();
        let (times, sold) = (Arc::clone(&times), event.message::<Sold>().map_err(Error::internal));
        let (id, now) = (event.id, event.time);
        Box::pin(async move {
            let sold = sold?;
            tx.run(&ADD).bind(id).bind(&sold.name).bind(1_i64).bind(now).execute().await?;
            let number = usize::try_from(sold.number).unwrap_or(usize::MAX);
            // A handler that runs again after a conflict began the first time.
            if times.handled.get(number).is_some_and(|time| time.set(began).is_ok()) {
                times.count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        })
    })
}
