//! Generates the crate from its contract.
fn main() -> Result<(), weft_codegen::Error> {
    weft_codegen::Contract::new("weft/catalog/v1/catalog.proto")
        .include("../../../proto")
        .runtime("::weft_call")
        .uses("weft.type.v1", "::weft_contracts_type")
        .generate()
}
