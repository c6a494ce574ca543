//! What a domain sees of the mesh.
