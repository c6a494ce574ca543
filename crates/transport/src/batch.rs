//! Driving a connection once for all that its streams have to say at a moment.
//!
//! Problem: the streams of a connection have tasks of their own. Each that has something to send wakes the task that drives
//! the connection, and a runtime with several workers runs next what was woken last: every message of a busy connection would
//! be a write of its own, and writes are what a call costs most. Rule: a driver that is woken first lets those run that are to
//! run already, and then writes for all of them. What it costs is one turn of the worker's queue, and nothing where that is
//! empty.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// Whether a driver has let others go first since it was woken.
#[derive(Debug, Default)]
pub struct Batching {
    has_waited: bool,
}

impl Batching {
    /// Ready on every other poll; in between, the task is put behind those that are to run.
    pub fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.has_waited = !self.has_waited;
        if self.has_waited {
            // A task that wakes itself while it runs goes to the end of the queue.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

/// A driver that lets others go first.
#[derive(Debug)]
pub(crate) struct Batched<D> {
    driver: D,
    batching: Batching,
}

impl<D> Batched<D> {
    pub(crate) fn new(driver: D) -> Self {
        Self { driver, batching: Batching::default() }
    }

    /// The driver.
    pub(crate) fn driver(&mut self) -> &mut D {
        &mut self.driver
    }
}

impl<D: Future + Unpin> Future for Batched<D> {
    type Output = D::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<D::Output> {
        std::task::ready!(self.batching.poll_turn(context));
        Pin::new(&mut self.driver).poll(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::SeqCst},
        },
    };

    use futures_util::task::AtomicWaker;
    use tokio::sync::Semaphore;

    use super::*;

    const STREAMS: u32 = 100;

    #[derive(Default)]
    struct Connection {
        said: AtomicU32,
        driver: AtomicWaker,
    }

    /// In how many writes goes what so many streams say at one moment.
    async fn writes() -> u32 {
        let (connection, begin) = (Arc::new(Connection::default()), Arc::new(Semaphore::new(0)));
        let shared = Arc::clone(&connection);
        let (mut written, mut writes) = (0, 0);
        let driver = poll_fn(move |context| {
            shared.driver.register(context.waker());
            let said = shared.said.load(SeqCst);
            writes += u32::from(said > written);
            written = said;
            if said == STREAMS { Poll::Ready(writes) } else { Poll::Pending }
        });
        let driving = tokio::spawn(Batched::new(driver));
        for _ in 0..STREAMS {
            let (connection, begin) = (Arc::clone(&connection), Arc::clone(&begin));
            tokio::spawn(async move {
                drop(begin.acquire().await);
                connection.said.fetch_add(1, SeqCst);
                connection.driver.wake();
            });
        }
        // They wait by now, all on the one worker.
        tokio::spawn(async move {
            for _ in 0..10 * STREAMS {
                tokio::task::yield_now().await;
            }
            begin.add_permits(STREAMS as usize);
        });
        driving.await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_many_streams_say_at_once_is_written_at_once() {
        let writes = writes().await;
        assert!(writes <= STREAMS / 10, "{writes} writes for {STREAMS} streams");
    }
}
