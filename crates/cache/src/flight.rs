//! One load for all who wait for the same entry.
//!
//! Rule: whoever comes first loads, the others take its value. A load that fails or is cancelled is
//! its caller's alone: the next one in line loads for itself, within its own deadline, so that the
//! source is asked once at a time. Flights are told apart by the generation that their callers saw:
//! a caller that comes after an invalidation never takes the value of a load that began before it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use crate::{EntryKey, Generation};

type Cell<V> = OnceCell<Option<Arc<V>>>;

/// The entry, and the generation of its absence; none while the shared memory is lost.
type Route = (EntryKey, Option<Generation>);

/// The loads that are under way in this process.
#[derive(Debug)]
pub(crate) struct Flights<V>(Mutex<HashMap<Route, Weak<Cell<V>>>>);

/// A caller's part in a load.
pub(crate) struct Seat<'a, V> {
    flights: &'a Flights<V>,
    route: Route,
    cell: Arc<Cell<V>>,
}

impl<V> Flights<V> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    pub(crate) fn board(&self, route: Route) -> Seat<'_, V> {
        let cell = match self.lock().entry(route.clone()) {
            Entry::Occupied(mut entry) => entry.get().upgrade().unwrap_or_else(|| {
                let cell = Arc::default();
                entry.insert(Arc::downgrade(&cell));
                cell
            }),
            Entry::Vacant(entry) => {
                let cell = Arc::default();
                entry.insert(Arc::downgrade(&cell));
                cell
            }
        };
        Seat { flights: self, route, cell }
    }

    /// Nobody boards any more a load that began while the shared memory was lost.
    pub(crate) fn close(&self, key: &EntryKey) {
        self.lock().remove(&(key.clone(), None));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Route, Weak<Cell<V>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<V> Seat<'_, V> {
    /// The value that another seat loads, or else this one.
    pub(crate) async fn value<E, F>(&self, load: impl FnOnce() -> F) -> Result<Option<Arc<V>>, E>
    where
        F: Future<Output = Result<Option<Arc<V>>, E>>,
    {
        self.cell.get_or_try_init(load).await.cloned()
    }
}

impl<V> Drop for Seat<'_, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock();
        // A load that is done takes nobody on: what it says grows old.
        if (self.cell.initialized() || Arc::strong_count(&self.cell) == 1)
            && let Entry::Occupied(entry) = flights.entry(self.route.clone())
            && entry.get().as_ptr() == Arc::as_ptr(&self.cell)
        {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::convert::Infallible;

    use futures_util::future::pending;

    use super::*;
    use crate::key::Kind;

    fn route(generation: Option<Generation>) -> Route {
        (EntryKey::new(Kind::Cache, "products", "tenant", "key").unwrap(), generation)
    }

    async fn five() -> Result<Option<Arc<u8>>, Infallible> {
        Ok(Some(Arc::new(5)))
    }

    #[tokio::test]
    async fn a_cancelled_load_is_taken_over_and_nothing_is_left_behind() {
        let flights = Flights::<u8>::new();
        let (first, second) = (flights.board(route(None)), flights.board(route(None)));
        let mut stuck = Box::pin(first.value(pending::<Result<Option<Arc<u8>>, Infallible>>));
        assert!(futures_util::poll!(&mut stuck).is_pending());
        let mut waiting = Box::pin(second.value(five));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(stuck);
        assert_eq!(waiting.await.unwrap().as_deref(), Some(&5));
        drop((first, second));
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_load_that_is_done_takes_nobody_on() {
        let flights = Flights::<u8>::new();
        let (first, late) = (flights.board(route(None)), flights.board(route(None)));
        first.value(five).await.unwrap();
        drop(first);
        let next = flights.board(route(None));
        assert!(!Arc::ptr_eq(&next.cell, &late.cell));
        drop(late);
        assert!(Arc::ptr_eq(&next.cell, &flights.board(route(None)).cell), "who leaves does not close another's flight");
    }

    #[tokio::test]
    async fn callers_of_other_generations_fly_apart() {
        let flights = Flights::<u8>::new();
        let (one, other) = (flights.board(route(Some(Generation::new()))), flights.board(route(Some(Generation::new()))));
        assert!(!Arc::ptr_eq(&one.cell, &other.cell));
    }
}
