//! Turns contracts (`.proto` files) into traits, clients, policy tables and a descriptor set.
//!
//! A contract is one protobuf package whose options (`proto/weft/mesh/v1/options.proto`) say what every
//! call is held to. A build script compiles it:
//!
//! ```no_run
//! fn main() -> Result<(), weft_codegen::Error> {
//!     weft_codegen::Contract::new("acme/greeter/v1/greeter.proto").include("proto").generate()
//! }
//! ```
//!
//! and the crate includes the result:
//!
//! ```text
//! include!(concat!(env!("OUT_DIR"), "/contract.rs"));
//! ```
//!
//! For a service `Greeter` in the package `acme.greeter.v1` that gives the messages, a trait `Greeter`
//! for the handler, a `GreeterClient`, and `GreeterContract`, which stands for the contract and serves
//! any handler. Generated code names `weft_call` and nothing else: no RPC library, no database.
//!
//! Rule: what a contract leaves unsaid or says wrongly does not build. Every refusal is one sentence
//! that names the file and the element; [`Error`] lists them all at once.

mod comments;
mod compile;
mod debug;
mod error;
mod events;
mod generator;
mod messages;
mod names;
mod options;
mod package;
mod reasons;
mod refuse;
mod service;
mod soft_delete;
mod tables;
mod validation;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

pub use error::{Error, Refusal};

use crate::{generator::Generator, package::Package};

/// A contract that is to be compiled: one or more files of one package.
#[derive(Clone, Debug)]
pub struct Contract {
    files: Vec<String>,
    includes: Vec<PathBuf>,
    runtime: String,
    uses: BTreeMap<String, String>,
}

impl Contract {
    /// The contract in a file, named as other files would import it: `weft/orders/v1/orders.proto`.
    pub fn new(file: impl Into<String>) -> Self {
        Self { files: vec![file.into()], includes: Vec::new(), runtime: "::weft::call".to_owned(), uses: BTreeMap::new() }
    }

    /// Another file of the same package.
    #[must_use]
    pub fn file(mut self, file: impl Into<String>) -> Self {
        self.files.push(file.into());
        self
    }

    /// A folder that files are looked up in, relative to the crate's. Google's well-known types and the
    /// options that contracts carry need none: the generator has them.
    #[must_use]
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// The path of `weft_call` in the crate that includes the result; `::weft::call` if nothing is said.
    #[must_use]
    pub fn runtime(mut self, path: impl Into<String>) -> Self {
        self.runtime = path.into();
        self
    }

    /// The path of the crate or module that holds another package's generated code. Needed for every
    /// package whose messages the contract uses or whose services it calls.
    #[must_use]
    pub fn uses(mut self, package: impl Into<String>, path: impl Into<String>) -> Self {
        self.uses.insert(package.into(), path.into());
        self
    }

    /// Writes `contract.rs` and `contract.fds` to the folder that cargo gives build scripts, and tells
    /// cargo which files they depend on.
    pub fn generate(self) -> Result<(), Error> {
        let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(Error::NotABuildScript(name));
        let read = self.generate_in(&variable("CARGO_MANIFEST_DIR")?, &variable("OUT_DIR")?)?;
        for path in read {
            #[allow(clippy::print_stdout, reason = "cargo reads it")]
            {
                println!("cargo::rerun-if-changed={}", path.display());
            }
        }
        Ok(())
    }

    /// The same without cargo, or for one of several contracts in a crate: includes are relative to
    /// `folder`, the result is written to `out`, which is made if need be. Returns the files and folders
    /// that the result depends on.
    pub fn generate_in(self, folder: &Path, out: &Path) -> Result<Vec<PathBuf>, Error> {
        let includes: Vec<_> = self.includes.iter().map(|include| folder.join(include)).collect();
        let compiled = compile::compile(&self.files, &includes)?;
        let package = Package::read(&compiled)?;
        let runtime = rust_path(&self.runtime)?;
        // HttpBody is part of the ground: every contract may exchange it.
        let mut uses = BTreeMap::from([("google.api".to_owned(), quote!(#runtime::generated::google_api))]);
        for (package, path) in &self.uses {
            uses.insert(package.clone(), rust_path(path)?);
        }
        let generator = Generator { package: &package, runtime, uses };
        let code = generator.generate(compiled.files)?;
        fs::create_dir_all(out).map_err(|source| Error::File { path: out.to_owned(), source })?;
        write(&out.join("contract.rs"), code.as_bytes())?;
        write(&out.join("contract.fds"), &compiled.descriptor_set)?;
        Ok(compiled.read.into_iter().collect())
    }
}

fn rust_path(path: &str) -> Result<TokenStream, Error> {
    let parsed: syn::Path = syn::parse_str(path).map_err(|_| Error::NotAPath(path.to_owned()))?;
    Ok(parsed.to_token_stream())
}

fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    fs::write(path, content).map_err(|source| Error::File { path: path.to_owned(), source })
}
