//! Calls at a fixed rate, whatever becomes of them: a mesh that slows down is not asked less.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clap::ValueEnum;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use crate::shop::Shop;

/// What the contract says of a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Read,
    Natural,
    Keyed,
}

/// Which calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mixture {
    /// Half of them READ, a fifth NATURAL, the rest KEYED; by REST and by gRPC.
    All,
    /// Orders alone.
    Keyed,
}

/// One call that has ended.
pub(crate) struct Ended {
    /// What was being done to the mesh when it was made.
    pub(crate) phase: usize,
    pub(crate) class: Class,
    /// When it was made, from the beginning of the load.
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    /// Its key, if it had one.
    pub(crate) key: Option<String>,
    pub(crate) failure: Option<String>,
}

/// What the load has come to so far, shared with whoever breaks the mesh.
#[derive(Default)]
pub(crate) struct Progress {
    phase: AtomicUsize,
    under_way: AtomicUsize,
    ended: Mutex<Vec<Ended>>,
}

/// The calls of one run.
pub(crate) struct Load {
    pub(crate) shop: Arc<Shop>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) mixture: Mixture,
    /// Calls a second.
    pub(crate) rate: u32,
}

impl Progress {
    /// Counts calls under the next phase from now on.
    pub(crate) fn begin(&self, phase: usize) {
        self.phase.store(phase, Ordering::SeqCst);
    }

    /// Calls that are made and have not ended.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// Everything that has ended.
    pub(crate) fn take(&self) -> Vec<Ended> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Load {
    /// Makes calls until `stop`, waits for those under way, and tells how many were made and how many
    /// the rate asked for.
    pub(crate) async fn run(self, stop: CancellationToken) -> (usize, usize) {
        let period = Duration::from_secs(1) / self.rate;
        let mut due = interval(period);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (began, mut number, mut calls) = (Instant::now(), 0, JoinSet::new());
        while stop.run_until_cancelled(due.tick()).await.is_some() {
            let (shop, progress) = (Arc::clone(&self.shop), Arc::clone(&self.progress));
            calls.spawn(one(shop, progress, self.mixture, number, began));
            number += 1;
            while calls.try_join_next().is_some() {}
        }
        let wanted = usize::try_from(began.elapsed().as_nanos() / period.as_nanos()).unwrap_or(usize::MAX);
        while calls.join_next().await.is_some() {}
        (number, wanted)
    }
}

async fn one(shop: Arc<Shop>, progress: Arc<Progress>, mixture: Mixture, number: usize, start: Instant) {
    let phase = progress.phase.load(Ordering::SeqCst);
    progress.under_way.fetch_add(1, Ordering::SeqCst);
    let began = Instant::now();
    let (class, key, result) = made(&shop, mixture, number).await;
    progress.under_way.fetch_sub(1, Ordering::SeqCst);
    let ended = Ended { phase, class, at: began - start, took: began.elapsed(), key, failure: result.err() };
    progress.ended.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
}

/// Of twenty calls ten read, four are NATURAL and six KEYED; neighbours differ.
async fn made(shop: &Shop, mixture: Mixture, number: usize) -> (Class, Option<String>, Result<(), String>) {
    let turn = if mixture == Mixture::Keyed { 2 + number % 2 * 3 } else { number * 7 % 20 };
    let key = || format!("proof-{number}");
    match turn {
        2 | 8 | 14 => (Class::Keyed, Some(key()), shop.keyed_by_rest(number, &key()).await),
        5 | 11 | 17 => (Class::Keyed, Some(key()), shop.keyed_by_grpc(number, &key()).await),
        0 | 9 => (Class::Natural, None, shop.natural_by_rest(number).await),
        4 | 15 => (Class::Natural, None, shop.natural_by_grpc(number).await),
        turn if turn % 2 == 0 => (Class::Read, None, shop.read_by_grpc(number).await),
        _ => (Class::Read, None, shop.read_by_rest(number).await),
    }
}
