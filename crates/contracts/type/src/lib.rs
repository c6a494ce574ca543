//! Generated contract of the type package.
