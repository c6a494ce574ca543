//! Orders: placed at catalog prices, exactly once.
