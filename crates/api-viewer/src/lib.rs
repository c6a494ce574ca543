//! A page that shows an OpenAPI document, whole in the binary.
//!
//! # Problem
//!
//! People want to look at an API and try it. Viewers are large, and most pages load theirs from somebody's network: then
//! the page breaks without one, and that somebody can read what is typed into it.
//!
//! # Rule
//!
//! The viewer is Swagger UI, out of a package that carries it and is fixed by the lock file. Its script and style are
//! packed into the binary when it is built. [`POLICY`] forbids browsers to load anything from elsewhere, whatever script or
//! document ask for.
//!
//! The document is expected at `/openapi.json`, the files at `/docs` and below.

/// The policy that goes with every file (`Content-Security-Policy`). The viewer sets styles of elements, and has its
/// pictures in its style.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                          connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is served: `/docs/viewer.js`.
    pub path: &'static str,
    /// Its type.
    pub content_type: &'static str,
    /// Its content.
    pub content: Content,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// As it is.
    Plain(&'static [u8]),
    /// Packed by gzip (RFC 1952).
    Gzip(&'static [u8]),
}

/// Every file of the viewer; the first is the page itself.
pub const FILES: &[File] = &[
    File {
        path: "/docs",
        content_type: "text/html; charset=utf-8",
        content: Content::Plain(include_bytes!("../assets/page.html")),
    },
    File {
        path: "/docs/start.js",
        content_type: "text/javascript; charset=utf-8",
        content: Content::Plain(include_bytes!("../assets/start.js")),
    },
    File {
        path: "/docs/viewer.js",
        content_type: "text/javascript; charset=utf-8",
        content: Content::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/viewer.js.gz"))),
    },
    File {
        path: "/docs/viewer.css",
        content_type: "text/css; charset=utf-8",
        content: Content::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/viewer.css.gz"))),
    },
    File {
        path: "/docs/LICENSE",
        content_type: "text/plain; charset=utf-8",
        content: Content::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/LICENSE.gz"))),
    },
    File {
        path: "/docs/NOTICE",
        content_type: "text/plain; charset=utf-8",
        content: Content::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/NOTICE.gz"))),
    },
];

/// The file of a path; `/docs/` is `/docs`.
pub fn file(path: &str) -> Option<&'static File> {
    let path = if path == "/docs/" { "/docs" } else { path };
    FILES.iter().find(|file| file.path == path)
}
