//! Generated from `proto/weft/mesh/v1/reason.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
