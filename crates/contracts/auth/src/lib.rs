//! Generated from `proto/weft/auth/v1/auth.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
