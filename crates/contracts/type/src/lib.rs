//! Generated from `proto/weft/type/v1/money.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
