//! Generates the crate from its contract.
fn main() -> Result<(), weft_codegen::Error> {
    weft_codegen::Contract::new("weft/events/v1/events.proto").include("../../../proto").runtime("::weft_call").generate()
}
