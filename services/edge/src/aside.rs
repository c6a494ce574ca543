//! Long work, aside from the threads that serve.
//!
//! # Problem
//!
//! What a client sends can take milliseconds to read: megabytes of JSON, or a small body that unpacks to them. Whoever shares
//! the thread would wait as long, and so would those whom the thread was just about to listen for.
//!
//! # Rule
//!
//! Work on more than [`SHORT`] bytes is done while another thread serves in place of the one that does it, and for as many
//! at once as half of the machine's cores: however many clients send what is large, the other half is there for those who
//! send what is small. Short work is done at once, for nothing.
//!
//! # Recovery
//!
//! Who waits for a place waits as a call does, and no longer than its deadline.

use std::{sync::LazyLock, thread::available_parallelism};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
    task::block_in_place,
};

/// Bytes that are read in about a tenth of a millisecond.
pub(crate) const SHORT: usize = 64 * 1024;

/// They stand for cores, and so all edges of a process share them.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Semaphore::new((cores / 2).max(1))
});

/// Does work that takes as long as so many bytes do.
pub(crate) async fn run<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    // A runtime of one thread has no other that could serve meanwhile.
    if bytes <= SHORT || Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    // It is never closed, so that there is always a place in the end.
    let _place = PLACES.acquire().await;
    block_in_place(work)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_are_served_while_long_work_is_done() {
        let (done, heard) = mpsc::channel();
        let long = tokio::spawn(async move {
            // It ends when another task of the one worker has run.
            run(SHORT + 1, move || {
                tokio::spawn(async move { done.send(()).unwrap() });
                heard.recv().unwrap();
            })
            .await;
        });
        long.await.unwrap();
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_at_once() {
        assert_eq!(run(usize::MAX, || 7).await, 7);
    }
}
