//! A crate with a domain of one's own.
//!
//! It is `examples/greeter` under another name, so what is written here is what is built and tested
//! there. Only three things change: the domain's name, its name in camel case, and the way to weft's
//! sources.

mod name;
mod place;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use heck::ToUpperCamelCase;

use crate::failure::Failure;

macro_rules! greeter {
    ($($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../examples/greeter/", $file)))),+]
    };
}

/// Every file of the example but its lock file, which cargo writes.
const FILES: &[(&str, &str)] = greeter![
    "Cargo.toml",
    "build.rs",
    "migrations/0001_greetings.sql",
    "proto/greeter/v1/greeter.proto",
    "src/lib.rs",
    "src/main.rs",
    "tests/greetings.rs",
];

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NewError {
    #[error("{name:?} is no name for a domain: it must be 1 to 32 lower-case letters and digits, a letter first")]
    Name { name: String },
    #[error("{name:?} cannot be the name of a domain: it means something else in Rust or in the files that are written")]
    NameTaken { name: String },
    #[error("{} is there already and is no empty folder", path.display())]
    Exists { path: PathBuf },
    #[error("weft's sources are not found from here: say with --weft in which folder they are")]
    WeftUnknown,
    #[error("{} is not the folder of weft's sources: it has no crates/weft/Cargo.toml", path.display())]
    NotWeft { path: PathBuf },
    #[error("{} cannot be used", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Writes the crate.
pub(crate) fn domain(name: &str, path: Option<PathBuf>, weft: Option<PathBuf>, out: &mut impl Write) -> Result<(), Failure> {
    let here = std::env::current_dir().map_err(|source| NewError::File { path: PathBuf::from("."), source })?;
    let folder = write(&here, name, path, weft)?;
    writeln!(
        out,
        "{} files are in {folder}\n\nTry:\n  cd {folder}\n  cargo test\n  cargo run -- up",
        FILES.len(),
        folder = folder.display()
    )
    .map_err(Failure::Output)
}

fn write(here: &Path, name: &str, path: Option<PathBuf>, weft: Option<PathBuf>) -> Result<PathBuf, NewError> {
    name::check(name)?;
    let weft = place::weft(here, weft)?;
    let folder = path.unwrap_or_else(|| PathBuf::from(name));
    let target = here.join(&folder);
    place::make_empty(&target)?;
    let to_weft = place::relative(&target, &weft)?;
    for (file, text) in FILES {
        let path = target.join(renamed(file, name));
        let failed = |source| NewError::File { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let text = if *file == "Cargo.toml" { text.replace("\"../../", &format!("\"{to_weft}/")) } else { (*text).to_owned() };
        fs::write(&path, renamed(&text, name)).map_err(failed)?;
    }
    Ok(folder)
}

fn renamed(text: &str, name: &str) -> String {
    text.replace("greeter", name).replace("GREETER", &name.to_uppercase()).replace("Greeter", &name.to_upper_camel_case())
}

#[cfg(test)]
mod tests;
