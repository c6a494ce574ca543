//! Every guarantee is broken on purpose, and the check of that guarantee must see it.

use weft_simulation::Sabotage;

use crate::verdict;

/// Seeds that a sabotage gets to be caught by.
const CHANCES: u64 = 12;

fn is_caught(sabotage: Sabotage, by: &str) {
    let mut told = Vec::new();
    for seed in 0..CHANCES {
        let violations = verdict(seed, Some(sabotage)).violations;
        if violations.iter().any(|violation| violation.contains(by)) {
            return;
        }
        told.extend(violations.into_iter().next());
    }
    panic!("{sabotage:?} is caught by none of {CHANCES} seeds: {told:?}");
}

#[test]
fn a_repeat_of_an_unsafe_call_is_caught() {
    is_caught(Sabotage::RepeatUnsafe, "may not be repeated, and reached");
}

#[test]
fn a_budget_without_bottom_is_caught() {
    is_caught(Sabotage::BottomlessBudget, "more than the");
}

#[test]
fn a_caller_without_deadlines_is_caught() {
    is_caught(Sabotage::NoDeadline, "after its deadline");
}

#[test]
fn a_deadline_that_is_not_passed_on_is_caught() {
    is_caught(Sabotage::DeadlineNotPropagated, "in a handler that ended by");
}

#[test]
fn work_that_outlives_its_deadline_is_caught() {
    is_caught(Sabotage::WorkOutlivesDeadline, "still worked on call");
}

#[test]
fn a_change_that_is_made_twice_is_caught() {
    is_caught(Sabotage::KeysIgnored, "and again at");
}

#[test]
fn an_answer_before_its_change_is_caught() {
    is_caught(Sabotage::EarlyAnswer, "its change was not made");
}

#[test]
fn blind_balancing_is_caught() {
    is_caught(Sabotage::BlindBalancing, "attempts reached server");
}

#[test]
fn an_endpoint_that_is_never_taken_back_is_caught() {
    is_caught(Sabotage::EjectedForGood, "after all was mended");
}

#[test]
fn clocks_that_differ_wildly_are_caught() {
    is_caught(Sabotage::WildClocks, "for the difference of two clocks");
}
