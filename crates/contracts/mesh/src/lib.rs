//! Generated contract of the mesh package.
