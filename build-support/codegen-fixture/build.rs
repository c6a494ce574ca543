//! Generates both contracts, each into a folder of its own.

use std::{env, path::PathBuf};

use weft_codegen::{Contract, Error};

fn main() -> Result<(), Error> {
    let folder = |name| env::var_os(name).map(PathBuf::from).ok_or(Error::NotABuildScript(name));
    let (own, out) = (folder("CARGO_MANIFEST_DIR")?, folder("OUT_DIR")?);
    let authors = Contract::new("fixture/authors/v1/authors.proto");
    let library = Contract::new("fixture/library/v1/library.proto")
        .file("fixture/library/v1/rules.proto")
        .uses("fixture.authors.v1", "crate::authors");
    for (name, contract) in [("authors", authors), ("library", library)] {
        contract.include("proto").runtime("::weft_call").generate_in(&own, &out.join(name))?;
    }
    #[allow(clippy::print_stdout, reason = "cargo reads it")]
    {
        println!("cargo::rerun-if-changed=proto");
    }
    Ok(())
}
