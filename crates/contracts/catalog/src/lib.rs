//! Generated contract of the catalog package.
