//! Makes the descriptor set that every proxy which learns the types at run time is given.

use std::{env, path::PathBuf};

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto", "../../../proto"])?;
    compiler.include_imports(true).open_file("weft/bench/edge/v1/echo.proto")?;
    let set = PathBuf::from(env::var("OUT_DIR")?).join("echo.binpb");
    Ok(std::fs::write(set, compiler.encode_file_descriptor_set())?)
}
