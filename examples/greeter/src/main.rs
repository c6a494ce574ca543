fn main() -> std::process::ExitCode {
    weft::main([weft_auth::domain().port(8081), greeter::domain().port(8082)])
}
