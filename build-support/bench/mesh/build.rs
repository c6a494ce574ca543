//! Generates both contenders from one contract: weft's ends of a call by weft-codegen, tonic's by tonic-build.

use std::{env, path::PathBuf};

use tonic_build::manual::{Builder, Method, Service};

fn main() -> anyhow::Result<()> {
    weft_codegen::Contract::new("weft/bench/v1/bench.proto").include("proto").runtime("::weft_call").generate()?;
    let echo = Method::builder()
        .name("echo")
        .route_name("Echo")
        .input_type("crate::contract::EchoRequest")
        .output_type("crate::contract::EchoResponse")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let service = Service::builder().name("Bench").package("weft.bench.v1").method(echo).build();
    let out = PathBuf::from(env::var("OUT_DIR")?).join("tonic");
    std::fs::create_dir_all(&out)?;
    Builder::new().out_dir(out).compile(&[service]);
    Ok(())
}
