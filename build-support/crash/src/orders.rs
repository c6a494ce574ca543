//! Clients that place orders at once, each order under its own key.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

use crate::error::CrashError;
use crate::shop::Shop;

/// How far the clients are, for whoever picks the moments to strike.
#[derive(Default)]
pub(crate) struct Progress {
    next: AtomicUsize,
    under_way: AtomicUsize,
    answered: AtomicUsize,
}

impl Progress {
    /// Orders that were sent and not answered yet.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// Orders that were answered with success.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

/// An order that was answered with success.
pub(crate) struct Placed {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) attempts: usize,
    pub(crate) answer_was_lost: bool,
}

/// Places `orders` orders by `clients` clients.
pub(crate) async fn place(
    shop: &Arc<Shop>,
    progress: &Arc<Progress>,
    orders: usize,
    clients: usize,
    seed: u64,
) -> Result<Vec<Placed>, CrashError> {
    let mut running = JoinSet::new();
    for _ in 0..clients {
        running.spawn(client(Arc::clone(shop), Arc::clone(progress), orders, seed));
    }
    let mut placed = Vec::with_capacity(orders);
    while let Some(client) = running.join_next().await {
        placed.extend(client.map_err(|error| CrashError::Client(error.to_string()))??);
    }
    Ok(placed)
}

async fn client(shop: Arc<Shop>, progress: Arc<Progress>, orders: usize, seed: u64) -> Result<Vec<Placed>, CrashError> {
    let mut placed = Vec::new();
    loop {
        let number = progress.next.fetch_add(1, Ordering::SeqCst);
        if number >= orders {
            return Ok(placed);
        }
        let key = format!("crash-{seed}-{number}");
        progress.under_way.fetch_add(1, Ordering::SeqCst);
        let order = shop.place(&key).await?;
        progress.under_way.fetch_sub(1, Ordering::SeqCst);
        progress.answered.fetch_add(1, Ordering::SeqCst);
        placed.push(Placed { key, id: order.id, attempts: order.attempts, answer_was_lost: order.answer_was_lost });
    }
}
