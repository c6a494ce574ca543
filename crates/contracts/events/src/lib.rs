//! Generated from `proto/weft/events/v1/events.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
