//! Generated contract of the auth package.
