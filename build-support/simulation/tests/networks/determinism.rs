//! A seed that fails is only worth something if it fails again.

use crate::verdict;

#[test]
fn the_same_seed_gives_the_same_history() {
    let (first, again) = (verdict(3, None), verdict(3, None));
    let differs = first.log.iter().zip(&again.log).find(|(first, again)| first != again);
    assert_eq!(differs, None);
    assert_eq!(first.digest, again.digest);
    assert!(first.calls > 500, "{} calls", first.calls);
}

#[test]
fn another_seed_gives_another_history_and_keeps_every_promise() {
    let (one, other) = (verdict(4, None), verdict(5, None));
    assert_ne!(one.digest, other.digest);
    assert_ne!(one.schedule, other.schedule);
    assert_eq!((one.violations, other.violations), (Vec::new(), Vec::new()));
}
