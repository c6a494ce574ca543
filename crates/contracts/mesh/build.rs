//! Generates the crate from its contract.
fn main() -> Result<(), weft_codegen::Error> {
    weft_codegen::Contract::new("weft/mesh/v1/reason.proto")
        .file("weft/mesh/v1/audit.proto")
        .include("../../../proto")
        .runtime("::weft_call")
        .generate()
}
