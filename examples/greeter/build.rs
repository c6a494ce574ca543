fn main() -> Result<(), weft_codegen::Error> {
    println!("cargo::rerun-if-changed=migrations");
    weft_codegen::Contract::new("greeter/v1/greeter.proto").include("proto").generate()
}
