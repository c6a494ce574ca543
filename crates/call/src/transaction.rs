//! Keeps calls to other domains out of database transactions.
//!
//! Problem: a write's closure runs again on conflict and holds locks while it runs; a call to another
//! domain inside it would be repeated, and would hold the locks for as long as the other takes.
//! Rule: the store runs the closure under [`hold`], and an upstream refuses while [`is_held`].
//! Recovery: call first, then write; or publish an event in the transaction.

use std::{
    cell::Cell,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
};

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// True while the code that runs belongs to a write's closure.
pub fn is_held() -> bool {
    HELD.get()
}

/// Runs `work` as a write's closure.
pub async fn hold<T>(work: impl Future<Output = T>) -> T {
    Held { work: pin!(work) }.await
}

struct Held<'a, F> {
    work: Pin<&'a mut F>,
}

/// Puts the mark back as it was, also when the closure panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        HELD.set(self.0);
    }
}

impl<F: Future> Future for Held<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _restore = Restore(HELD.replace(true));
        self.work.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_mark_is_on_inside_and_off_outside_also_across_awaits() {
        let inside = hold(async {
            tokio::task::yield_now().await;
            is_held()
        });
        let outside = async {
            tokio::task::yield_now().await;
            is_held()
        };
        assert_eq!(tokio::join!(inside, outside), (true, false));
        assert!(!is_held());
    }
}
