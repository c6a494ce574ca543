//! Password hashing that neither stalls the process nor fills its memory.
//!
//! Problem: a hash takes a core for tens of milliseconds and 19 MiB, and strangers ask for as many as
//! they like. Rule: hashes run off the async threads, as many at once as the settings allow, and a
//! bounded number waits; what comes on top is told to come back. Working memory is passed from one
//! hash to the next, because getting it from the system takes a third of the time of a hash.
//! Recovery: after [`IDLE`] without a hash the memory is given back.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{
    error::AuthError,
    password::{self, Memory, Password, PasswordError, Verdict},
};

/// After this long without a hash, working memory is given back.
const IDLE: Duration = Duration::from_secs(10);
/// Hashes that may wait: at some 20 ms each and two at once, less than a second's work.
const MAX_WAITING: usize = 64;
const MAX_RUNNING: usize = 512;

pub(crate) struct Hasher {
    /// A permit for each hash that runs or waits.
    places: Arc<Semaphore>,
    /// A permit for each hash that runs.
    running: Arc<Semaphore>,
    pool: Arc<Mutex<Pool>>,
    /// What passwords for unknown accounts are checked against.
    decoy: Arc<str>,
}

/// What became of a check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// It is not the password, or there is no account.
    Wrong,
    /// It is the password.
    Right {
        /// Its hash of today's cost, if the stored one is of another.
        rehashed: Option<String>,
    },
}

#[derive(Default)]
struct Pool {
    free: Vec<Memory>,
    /// Hashes so far, by which the sweeper sees that none came.
    uses: u64,
    sweeping: bool,
}

impl Hasher {
    pub(crate) fn new(max_parallel: NonZeroUsize) -> Result<Self, PasswordError> {
        Self::with_queue(max_parallel.get(), MAX_WAITING)
    }

    fn with_queue(running: usize, waiting: usize) -> Result<Self, PasswordError> {
        // A semaphore cannot count further than this; a process has not so many threads.
        let running = running.min(MAX_RUNNING);
        Ok(Self {
            places: Arc::new(Semaphore::new(running + waiting)),
            running: Arc::new(Semaphore::new(running)),
            pool: Arc::default(),
            decoy: password::decoy()?.into(),
        })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, AuthError> {
        self.run(move |memory| password::hash(&password, memory)).await
    }

    /// Checks a password; without a stored hash it takes as long, and is wrong.
    pub(crate) async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verified, AuthError> {
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| Arc::clone(&self.decoy), Into::into);
        let work = move |memory: &mut Memory| match password::verify(&password, &stored, memory)? {
            Verdict::Wrong => Ok(Verified::Wrong),
            Verdict::Right => Ok(Verified::Right { rehashed: None }),
            Verdict::Outdated => Ok(Verified::Right { rehashed: Some(password::hash(&password, memory)?) }),
        };
        let verified = self.run(work).await?;
        Ok(if known { verified } else { Verified::Wrong })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| AuthError::TooBusy)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AuthError::TooBusy)?;
        let pool = Arc::clone(&self.pool);
        // The permits go with the work: a caller who goes away does not free a core that is still used.
        let hashed = tokio::task::spawn_blocking(move || {
            let mut memory = lock(&pool).free.pop().unwrap_or_default();
            let result = work(&mut memory);
            let mut shared = lock(&pool);
            shared.free.push(memory);
            shared.uses += 1;
            drop(shared);
            drop((place, permit));
            result
        });
        let result = hashed.await.map_err(AuthError::Interrupted)?;
        self.sweep_when_idle();
        Ok(result?)
    }

    /// Gives memory back when no hash came for a while. One sweeper runs at a time, and none when
    /// there is nothing to sweep.
    fn sweep_when_idle(&self) {
        if std::mem::replace(&mut lock(&self.pool).sweeping, true) {
            return;
        }
        let pool = Arc::clone(&self.pool);
        tokio::spawn(async move {
            loop {
                let seen = lock(&pool).uses;
                tokio::time::sleep(IDLE).await;
                let mut pool = lock(&pool);
                if pool.uses == seen {
                    pool.free = Vec::new();
                    pool.sweeping = false;
                    return;
                }
            }
        });
    }
}

/// Nothing is left half-changed while the lock is held, so a panic elsewhere does not matter.
fn lock(pool: &Mutex<Pool>) -> MutexGuard<'_, Pool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn hasher(running: usize, waiting: usize) -> Arc<Hasher> {
        Arc::new(Hasher::with_queue(running, waiting).unwrap())
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn an_unknown_account_is_checked_and_refused() {
        let hasher = hasher(1, 0);
        let stored = hasher.hash(password("pass word")).await.unwrap();
        assert_eq!(hasher.verify(password("pass word"), Some(stored)).await.unwrap(), Verified::Right { rehashed: None });
        assert_eq!(hasher.verify(password("pass word"), None).await.unwrap(), Verified::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_replaced_when_its_password_is_known() {
        let outdated = "$argon2id$v=19$m=64,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$OUTPUT";
        let argon2 = argon2::Argon2::from(argon2::Params::new(64, 1, 1, Some(32)).unwrap());
        let mut output = [0; 32];
        argon2.hash_password_into(b"pass word", &[7; 16], &mut output).unwrap();
        let output = argon2::password_hash::phc::Output::new(&output).unwrap().to_string();
        let stored = Some(outdated.replace("OUTPUT", &output));
        let hasher = hasher(1, 0);
        let verified = hasher.verify(password("pass word"), stored.clone()).await.unwrap();
        let Verified::Right { rehashed: Some(new) } = verified else { panic!("{verified:?}") };
        assert_eq!(hasher.verify(password("pass word"), Some(new)).await.unwrap(), Verified::Right { rehashed: None });
        assert_eq!(hasher.verify(password("pass-word"), stored).await.unwrap(), Verified::Wrong);
    }

    #[tokio::test]
    async fn beyond_what_runs_and_waits_a_hash_is_turned_away() {
        let hasher = hasher(1, 1);
        let (release, held) = mpsc::channel::<()>();
        let block = move |_: &mut Memory| {
            let _ = held.recv();
            Ok(())
        };
        let running = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move { hasher.run(block).await }
        });
        let waiting = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move { hasher.run(|_| Ok(())).await }
        });
        while hasher.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.run(|_| Ok(())).await, Err(AuthError::TooBusy)));
        release.send(()).unwrap();
        running.await.unwrap().unwrap();
        waiting.await.unwrap().unwrap();
        hasher.run(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_frees_nothing_that_is_still_used() {
        let hasher = hasher(1, 0);
        let (release, held) = mpsc::channel::<()>();
        let task = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move {
                let block = move |_: &mut Memory| {
                    let _ = held.recv();
                    Ok(())
                };
                hasher.run(block).await
            }
        });
        while hasher.running.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert!(matches!(hasher.run(|_| Ok(())).await, Err(AuthError::TooBusy)));
        release.send(()).unwrap();
        let _freed = hasher.places.acquire().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_passed_on_and_given_back_when_idle() {
        let hasher = hasher(2, 0);
        let touch = |memory: &mut Memory| {
            memory.resize(1, argon2::Block::new());
            Ok(())
        };
        for _ in 0..3 {
            hasher.run(touch).await.unwrap();
        }
        assert_eq!(lock(&hasher.pool).free.len(), 1, "one after the other needs one");
        tokio::time::sleep(IDLE * 3).await;
        let pool = lock(&hasher.pool);
        assert_eq!((pool.free.capacity(), pool.sweeping), (0, false));
    }
}
