//! Generated from `proto/weft/orders/v1/orders.proto`, whose comments are the documentation.

include!(concat!(env!("OUT_DIR"), "/contract.rs"));
