//! The edge in front of a mesh: real HTTP, real mutual TLS, real transport.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod api_keys;
mod authentication;
mod caching;
mod connections;
mod flow;
mod grpc;
mod grpc_web;
mod house;
mod issuer;
mod limits;
mod own_services;
mod rate_limits;
mod rest;
mod shop;
mod streams;
mod tls;
mod websocket;
mod wire;
