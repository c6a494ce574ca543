//! Generates the crate from its contract.
fn main() -> Result<(), weft_codegen::Error> {
    weft_codegen::Contract::new("weft/auth/v1/auth.proto").include("../../../proto").runtime("::weft_call").generate()
}
