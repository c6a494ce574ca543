//! The edge in front of a mesh: real HTTP, real mutual TLS, real transport.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "numbers belong to what is asserted of them")]

mod alone;
mod api_keys;
mod authentication;
mod caching;
mod conditions;
mod connect;
mod connections;
mod draining;
mod flow;
mod grpc;
mod grpc_web;
mod house;
mod issuer;
mod limits;
mod own_services;
mod rate_limits;
mod reference;
mod rest;
mod shop;
mod streams;
mod tls;
mod upstreams;
mod websocket;
mod wire;
