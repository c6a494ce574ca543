//! Why a contract does not build.

use std::{fmt, io, path::PathBuf};

/// Why a contract does not build. `Debug` prints the same sentences as `Display`, because that is what
/// cargo shows when a build script returns an error.
#[derive(thiserror::Error)]
pub enum Error {
    /// Cargo sets this variable for build scripts; [`crate::Contract::generate_in`] does without.
    #[error("{0} is not set: `generate` is for build scripts")]
    NotABuildScript(&'static str),
    /// [`crate::Contract::runtime`] or [`crate::Contract::uses`] was given something else than a path.
    #[error("`{0}` is no Rust path")]
    NotAPath(String),
    /// The files are no protobuf; where, and why.
    #[error("{0:?}")]
    Proto(#[from] protox::Error),
    /// The files are of more than one package.
    #[error("{first} and {second} are two packages: a contract is one")]
    TwoPackages {
        /// The package of the first file.
        first: String,
        /// Another file's.
        second: String,
    },
    /// A file names no package.
    #[error("{0} names no package")]
    NoPackage(String),
    /// An option is not the message that weft knows by that name.
    #[error("{option} is another message than weft's: an include has its own copy of the file")]
    ForeignOption {
        /// The option's full name.
        option: &'static str,
        /// What does not fit.
        source: prost::DecodeError,
    },
    /// What the contract says is not allowed.
    #[error("{}", lines(.0))]
    Refused(Vec<Refusal>),
    /// The messages cannot be generated.
    #[error("prost cannot generate the messages: {0}")]
    Messages(#[source] io::Error),
    /// What was generated is not Rust: a mistake in weft-codegen.
    #[error("the generated code is not Rust; please report it: {0}")]
    NotRust(#[from] syn::Error),
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A sentence of a contract that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// The file that says it.
    pub file: String,
    /// What it says it of: `Orders.CreateOrder`, `Order.state`, `OrdersReason.ORDER_NOT_FOUND`.
    pub element: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.file, self.element, self.problem)
    }
}

fn lines(refusals: &[Refusal]) -> String {
    let sentences: Vec<_> = refusals.iter().map(Refusal::to_string).collect();
    sentences.join("\n")
}
