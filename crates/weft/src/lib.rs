//! The library behind the weft binary: a main and a command line for any set of domains.
//!
//! # Problem
//!
//! A mesh is made of domains from several repositories. Nobody should fork a binary to add one, and
//! a process of one domain should behave, be configured and be stopped exactly as a process of all.
//!
//! # Rule
//!
//! A binary is a table of domains, and everything else is here:
//!
//! ```text
//! fn main() -> std::process::ExitCode {
//!     weft::main([auth::domain().port(8081), orders::domain().port(8091)])
//! }
//! ```
//!
//! It gets the commands `up`, `serve`, `edge`, `routes`, `graph`, `migrate`, `events`, `sagas`, `backup`, `restore`, `db`,
//! `erase`, `config`, `doctor`, `top`, `certificates` and `new domain`. A
//! crate with a domain of its own needs `weft`, `sqlx` (whose macros name it) and `weft-codegen` for its build
//! script; generated code stands on [`call`]. With the feature `testkit`, `weft::testkit` is a whole mesh
//! inside a test. `weft new domain NAME` writes such a crate.
//!
//! # Recovery
//!
//! What keeps a process from starting is one sentence on stderr that names it, and an exit code: 64
//! for a wrong command line, 78 for a wrong configuration (both as sysexits has them), 1 for the
//! rest.

mod admin_port;
mod alone;
mod arguments;
mod backup;
mod certificates;
mod configure;
mod db;
mod describe;
mod doctor;
mod erase;
mod events;
mod failure;
mod front_door;
mod graph;
mod migrate;
mod new;
mod probe;
mod process;
mod program;
mod routes;
mod sagas;
mod serve;
mod top;
mod welcome;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

/// Ids of resources are UUIDv7.
#[doc(no_inline)]
pub use uuid::Uuid;
#[doc(no_inline)]
pub use weft_mesh::{
    Call, CallBuilder, Clock, Code, Context, Contract, Deadline, Domain, DomainBuilder, Error, FieldViolation, IdempotencyKey,
    JobFn, MeshReason, Permissions, Principal, Reason, Reply, Result, Scope, ServedDomain, ServiceAccount, StartError, Streaming,
    TenantId, User, call, hours, migrations, minutes, seconds, store,
};
/// A whole mesh inside a test.
#[cfg(feature = "testkit")]
pub use weft_testkit as testkit;

/// The whole `main` of a binary with these domains.
pub fn main(domains: impl IntoIterator<Item = Domain>) -> ExitCode {
    let domains = domains.into_iter().collect();
    match program::run(domains, env::args_os().collect(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Where stderr is closed the exit code is all that can be said.
            let _ = writeln!(io::stderr(), "weft: {}", failure.sentence());
            failure.exit_code()
        }
    }
}
