//! What must hold once the killing is over.

use std::collections::{HashMap, HashSet};

use crate::error::CrashError;
use crate::orders::Placed;
use crate::shop::Shop;

/// Compares what was answered with what is there, before and after every key is sent once more. Gives every broken promise in
/// words.
pub(crate) async fn audit(shop: &Shop, placed: &[Placed]) -> Result<Vec<String>, CrashError> {
    let mut broken = compare("after the kills", &shop.list().await?, placed);
    for order in placed {
        let again = shop.place(&order.key).await?;
        if again.id != order.id {
            broken.push(format!("key {} gave order {} and, sent again, order {}", order.key, order.id, again.id));
        }
    }
    broken.extend(compare("after every key was sent again", &shop.list().await?, placed));
    Ok(broken)
}

/// Every answered order is there once, and nothing else is.
fn compare(when: &str, listed: &[String], placed: &[Placed]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for id in listed {
        *counts.entry(id).or_default() += 1;
    }
    for order in placed {
        match counts.get(order.id.as_str()) {
            Some(1) => {}
            Some(times) => broken.push(format!("order {} is listed {times} times {when}", order.id)),
            None => broken.push(format!("order {} was answered with success and is gone {when}", order.id)),
        }
    }
    let answered: HashSet<&str> = placed.iter().map(|order| order.id.as_str()).collect();
    if answered.len() != placed.len() {
        broken.push(format!("{} keys were answered with {} orders", placed.len(), answered.len()));
    }
    if listed.len() != placed.len() {
        broken.push(format!("{} keys, but {} orders {when}", placed.len(), listed.len()));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(ids: &[&str]) -> Vec<Placed> {
        ids.iter()
            .map(|id| Placed { key: format!("key of {id}"), id: (*id).to_owned(), attempts: 1, answer_was_lost: false })
            .collect()
    }

    fn listed(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn the_same_orders_in_any_order_break_nothing() {
        assert!(compare("now", &listed(&["b", "a"]), &placed(&["a", "b"])).is_empty());
    }

    #[test]
    fn a_lost_order_is_named() {
        let broken = compare("now", &listed(&["a"]), &placed(&["a", "b"]));
        assert!(broken.contains(&"order b was answered with success and is gone now".to_owned()), "{broken:?}");
    }

    #[test]
    fn an_order_that_nobody_was_told_of_is_counted() {
        assert_eq!(compare("now", &listed(&["a", "b"]), &placed(&["a"])), ["1 keys, but 2 orders now"]);
    }

    #[test]
    fn an_order_that_is_listed_twice_is_named() {
        let broken = compare("now", &listed(&["a", "a"]), &placed(&["a"]));
        assert!(broken.contains(&"order a is listed 2 times now".to_owned()), "{broken:?}");
    }

    #[test]
    fn two_keys_that_share_an_order_are_counted() {
        let broken = compare("now", &listed(&["a"]), &placed(&["a", "a"]));
        assert!(broken.contains(&"2 keys were answered with 1 orders".to_owned()), "{broken:?}");
    }
}
