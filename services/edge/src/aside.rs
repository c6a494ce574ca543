//! Long work, aside from the threads that serve.
//!
//! # Problem
//!
//! What a client sends can take milliseconds to read: megabytes of JSON, or a small body that unpacks to them. Whoever shares
//! the thread would wait as long, and so would those whom the thread was just about to listen for.
//!
//! # Rule
//!
//! Work on more than [`SHORT`] bytes is done by threads of its own, as many as half of the machine's cores: however many
//! clients send what is large, the other half is there for those who send what is small. On Linux these threads give way:
//! a thread that serves and wakes up has the core at once, where it would wait for some milliseconds otherwise. Meanwhile
//! another thread serves in place of the one that waits for the work. Short work is done at once, for nothing.
//!
//! # Recovery
//!
//! Who waits for a place waits as a call does, and no longer than its deadline. Where serving takes all of the cores, long
//! work takes longer, and does not stand still. Where the system gives no more threads, it is done without them.

use std::{sync::LazyLock, thread::available_parallelism};

use rayon_core::{ThreadPool, ThreadPoolBuilder};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
    task::block_in_place,
};

/// Bytes that are read in about a tenth of a millisecond.
pub(crate) const SHORT: usize = 64 * 1024;

/// A thread each. They stand for cores, and so all edges of a process share them.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(places()));

/// None where the system gave none.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let name = |index| format!("aside-{index}");
    let threads = ThreadPoolBuilder::new().num_threads(places()).thread_name(name).start_handler(|_| give_way()).build();
    threads.inspect_err(|error| tracing::warn!(%error, "long work is done by the threads that serve")).ok()
});

fn places() -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

/// Lets the thread run behind all others that want its core.
fn give_way() {
    // Elsewhere the priority is the process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "long work competes with serving");
    }
}

/// Does work that takes as long as so many bytes do.
pub(crate) async fn run<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    // A runtime of one thread has no other that could serve meanwhile.
    if bytes <= SHORT || Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    // It is never closed, so that there is always a place in the end.
    let _place = PLACES.acquire().await;
    block_in_place(|| match &*THREADS {
        Some(threads) => threads.install(work),
        None => work(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_are_served_while_long_work_is_done() {
        let (done, heard) = mpsc::channel();
        let served = Handle::current();
        let long = tokio::spawn(async move {
            // It ends when another task of the one worker has run.
            run(SHORT + 1, move || {
                served.spawn(async move { done.send(()).unwrap() });
                heard.recv().unwrap();
            })
            .await;
        });
        long.await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn long_work_gives_way_and_short_work_does_not() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let usual = priority();
        let (short, long) =
            tokio::spawn(async move { (run(SHORT, priority).await, run(SHORT + 1, priority).await) }).await.unwrap();
        assert_eq!((short, long), (usual, 19));
    }

    #[tokio::test]
    async fn a_runtime_of_one_thread_does_it_at_once() {
        assert_eq!(run(usize::MAX, || 7).await, 7);
    }
}
