//! The mixture of steps, and when each begins.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{report::Report, shop::Shop};

/// Of a hundred steps, how many are what; the rest browse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) sign_ups: u8,
    pub(crate) orders: u8,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Step {
    Browse,
    Order,
    SignUp,
}

impl Scenario {
    fn draw(self) -> Step {
        match fastrand::u8(0..100) {
            drawn if drawn < self.sign_ups => Step::SignUp,
            drawn if drawn < self.sign_ups.saturating_add(self.orders) => Step::Order,
            _ => Step::Browse,
        }
    }
}

/// Begins a step each `every`, for `limit` or until the file is there, and waits for those under way.
pub(crate) async fn drive(
    shop: &Arc<Shop>,
    report: &Arc<Report>,
    scenario: Scenario,
    every: Duration,
    limit: Duration,
    until: Option<&Path>,
) {
    let mut steps = JoinSet::new();
    let mut clock = interval(every);
    // A late start is made up for: the rate is what was asked for.
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let end = begun + limit;
    let mut count = 0_u64;
    loop {
        let due = clock.tick().await;
        count += 1;
        // Looking at the file system each time would cost more than the steps.
        let asked_to_end = count.is_multiple_of(32) && until.is_some_and(Path::exists);
        if due >= end || asked_to_end {
            break;
        }
        steps.spawn(step(Arc::clone(shop), Arc::clone(report), scenario.draw(), begun, due, count));
        while steps.try_join_next().is_some() {}
    }
    steps.join_all().await;
}

async fn step(shop: Arc<Shop>, report: Arc<Report>, step: Step, begun: Instant, due: Instant, count: u64) {
    let key = format!("load-{count}-{:08x}", fastrand::u32(..));
    let outcome = match step {
        Step::Browse => shop.browse().await,
        Step::Order => shop.order(&key).await,
        Step::SignUp => shop.welcome().await,
    };
    let answered_key = (step == Step::Order && outcome.is_ok()).then_some(key);
    let began = due.saturating_duration_since(begun);
    report.record(step, began, due.elapsed(), outcome.map(|answered| answered.repeats), answered_key);
}
