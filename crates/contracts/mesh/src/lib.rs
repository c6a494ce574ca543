//! Generated from `reason.proto` and `audit.proto` in `proto/weft/mesh/v1`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
