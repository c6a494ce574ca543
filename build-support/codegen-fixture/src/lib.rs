//! Two contracts that use all that `weft-codegen` compiles. The tests beside them say what must have
//! become of each sentence.

/// Generated from `proto/fixture/authors/v1/authors.proto`: what the library calls.
pub mod authors {
    include!(concat!(env!("OUT_DIR"), "/authors/contract.rs"));
}

/// Generated from `proto/fixture/library/v1/`.
pub mod library {
    include!(concat!(env!("OUT_DIR"), "/library/contract.rs"));
}
