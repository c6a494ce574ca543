//! The front door: REST and gRPC on one port.
