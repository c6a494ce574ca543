//! The weft binary: the table of this repository's domains, and the ports that they have unless the
//! configuration says others.

mod domains;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A sixth of what a request costs is memory that is asked for and freed, and this one does it for less (docs/benchmarks.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    weft::main(domains::domains())
}
