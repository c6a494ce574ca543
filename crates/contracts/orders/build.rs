//! Generates the crate from its contract.
fn main() -> Result<(), weft_codegen::Error> {
    weft_codegen::Contract::new("weft/orders/v1/orders.proto")
        .include("../../../proto")
        .runtime("::weft_call")
        .uses("weft.type.v1", "::weft_contracts_type")
        .uses("weft.catalog.v1", "::weft_contracts_catalog")
        .generate()
}
