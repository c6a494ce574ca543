//! Contenders that take turns.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

/// One piece of a contender's work.
pub(crate) type Work<'a> = Box<dyn Fn() -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>> + 'a>;

/// How often contenders take turns within a round, so that what else the machine does falls on all alike.
const TURNS: u32 = 10;

/// What two contenders came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compared {
    /// Time of one piece of work.
    pub(crate) ours: Duration,
    pub(crate) theirs: Duration,
    /// Ours by theirs.
    pub(crate) ratio: f64,
}

/// Runs two contenders for so many rounds of so many seconds each.
pub(crate) async fn compare(ours: &Work<'_>, theirs: &Work<'_>, rounds: usize, seconds: f64) -> anyhow::Result<Compared> {
    let slice = Duration::from_secs_f64(seconds) / TURNS;
    // Connections are made and statements prepared.
    run(ours, slice).await?;
    run(theirs, slice).await?;
    let (mut all_ours, mut all_theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut mine, mut other) = (Turns::default(), Turns::default());
        for turn in 0..TURNS {
            // Nobody always goes first.
            if turn % 2 == 0 {
                mine.add(run(ours, slice).await?);
                other.add(run(theirs, slice).await?);
            } else {
                other.add(run(theirs, slice).await?);
                mine.add(run(ours, slice).await?);
            }
        }
        let (mine, other) = (mine.each(), other.each());
        ratios.push(mine / other);
        all_ours.push(mine);
        all_theirs.push(other);
    }
    let time = |times| Duration::from_secs_f64(median(times));
    Ok(Compared { ours: time(all_ours), theirs: time(all_theirs), ratio: median(ratios) })
}

#[derive(Debug, Default)]
struct Turns {
    count: u32,
    time: Duration,
}

impl Turns {
    fn add(&mut self, (count, time): (u32, Duration)) {
        self.count += count;
        self.time += time;
    }

    fn each(&self) -> f64 {
        self.time.as_secs_f64() / f64::from(self.count.max(1))
    }
}

async fn run(work: &Work<'_>, slice: Duration) -> anyhow::Result<(u32, Duration)> {
    let (start, mut count) = (Instant::now(), 0);
    loop {
        work().await?;
        count += 1;
        let time = start.elapsed();
        if time >= slice {
            return Ok((count, time));
        }
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Microseconds, as tables have them.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}
