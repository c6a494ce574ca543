//! The client and server stacks between domains.
