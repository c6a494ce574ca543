//! Generated contract of the orders package.
