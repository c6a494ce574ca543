//! Runs the client and server stacks over simulated networks that break, and checks what must hold
//! all the same.
//!
//! # Problem
//!
//! What a mesh promises counts when something is broken, and what breaks a mesh is a rare order of
//! events: no test of a real network meets it twice.
//!
//! # Rule
//!
//! Callers and servers are the stacks of `weft-transport` as they stand, with mutual TLS, over the
//! network and time of turmoil. A seed draws a world and what breaks in it (`scenario`): partitions,
//! half-open, slow, failing, flapping, crashed and restarted servers, a registry that is lost, empty
//! or wrong, clocks that differ. Callers and servers write down what they see (`history`), and each
//! file of `invariants` says what must hold of it. The same seed gives the same history.
//!
//! # Recovery
//!
//! A seed that fails is printed with its schedule, and `cargo run -p weft-simulation -- --seed N`
//! runs it again with its log. Every check has a [`Sabotage`] that it must catch.

mod caller;
mod calling;
mod faults;
mod history;
mod invariants;
mod ledger;
mod network;
mod registry;
mod run;
mod sabotage;
mod scenario;
mod server;
mod world;

pub use run::{Verdict, run};
pub use sabotage::Sabotage;
