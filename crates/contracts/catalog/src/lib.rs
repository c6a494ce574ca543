//! Generated from `proto/weft/catalog/v1/catalog.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
