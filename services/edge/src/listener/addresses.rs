//! How many connections an address holds.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use weft_access::subscriber;

/// Connections by address.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    most: usize,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection that counts until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    address: Option<IpAddr>,
    addresses: Addresses,
}

impl Addresses {
    /// At most so many each; 0 for no bound.
    pub(super) fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    /// One more for an address, if it may. Without an address it always may.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Option<Held> {
        let address = address.filter(|_| self.most > 0).map(subscriber);
        if let Some(address) = address {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let count = held.entry(address).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(Held { address, addresses: self.clone() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut held = self.addresses.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_address_holds_so_many_and_no_more_until_one_ends() {
        let addresses = Addresses::new(2);
        let take = |address: &str| addresses.take(Some(address.parse().unwrap()));
        let (first, _second) = (take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap());
        assert!(take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
    }

    #[test]
    fn nothing_is_kept_of_addresses_without_connections() {
        let addresses = Addresses::new(1);
        for last in 0..100_u8 {
            drop(addresses.take(Some(IpAddr::from([192, 0, 2, last]))).unwrap());
        }
        assert!(addresses.held.lock().unwrap().is_empty());
    }

    #[test]
    fn without_a_bound_or_an_address_everybody_gets_in() {
        let held: Vec<_> = (0..10).map(|_| Addresses::new(0).take(Some([192, 0, 2, 1].into()))).collect();
        assert!(held.iter().all(Option::is_some));
        let addresses = Addresses::new(1);
        assert!((0..10).map(|_| addresses.take(None)).collect::<Vec<_>>().iter().all(Option::is_some));
    }
}
