//! The library behind the weft binary: a main and a command line for any set of domains.
