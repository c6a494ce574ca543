//! Generates the contenders' types from one descriptor set: prost with pbjson, and buffa.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_file("bench.proto")?;
    let set = compiler.encode_file_descriptor_set();
    let path = out.join("bench.binpb");
    std::fs::write(&path, &set)?;

    let prost_out = out.join("prost");
    std::fs::create_dir_all(&prost_out)?;
    prost_build::Config::new().out_dir(&prost_out).compile_fds(prost_types::FileDescriptorSet::decode(set.as_slice())?)?;
    pbjson_build::Builder::new().register_descriptors(&set)?.out_dir(&prost_out).build(&[".bench"])?;

    let buffa_out = out.join("buffa");
    std::fs::create_dir_all(&buffa_out)?;
    buffa_build::Config::new()
        .descriptor_set(&path)
        .files(&["bench.proto"])
        .out_dir(&buffa_out)
        .include_file("mod.rs")
        .generate_json(true)
        .compile()
        .map_err(|error| anyhow::anyhow!("buffa: {error}"))?;
    Ok(())
}
