//! Turns contracts (.proto files) into traits, clients, policy tables and a descriptor set.
