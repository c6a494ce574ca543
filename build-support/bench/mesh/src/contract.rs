//! Generated from `proto/weft/bench/v1/bench.proto` for both contenders; they share the messages.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));

/// What tonic's generator makes of the method `Echo`.
#[allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, unreachable_pub, reason = "generated")]
pub(crate) mod tonic {
    include!(concat!(env!("OUT_DIR"), "/tonic/weft.bench.v1.Bench.rs"));
}
