//! The weft binary: the table of this repository's domains, and the ports that they have unless the
//! configuration says others.

mod domains;

use std::process::ExitCode;

fn main() -> ExitCode {
    weft::main(domains::domains())
}
