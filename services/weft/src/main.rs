//! The weft binary: the table of this repository's domains, and the ports that they have unless the
//! configuration says others.

use std::process::ExitCode;

fn main() -> ExitCode {
    weft::main([weft_auth::domain().port(8081), weft_catalog::domain().port(8090), weft_orders::domain().port(8091)])
}
