//! Databases: pools, migrations, scoped transactions.
