//! Where the crate goes, and the way from there to weft's sources.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::NewError;

/// The folder of weft's sources: the one that is named, or the nearest one above `here`.
pub(super) fn weft(here: &Path, named: Option<PathBuf>) -> Result<PathBuf, NewError> {
    match named {
        Some(path) if is_weft(&here.join(&path)) => Ok(here.join(path)),
        Some(path) => Err(NewError::NotWeft { path }),
        None => here.ancestors().find(|folder| is_weft(folder)).map(Path::to_owned).ok_or(NewError::WeftUnknown),
    }
}

fn is_weft(folder: &Path) -> bool {
    folder.join("crates/weft/Cargo.toml").is_file()
}

/// Makes the folder, unless it is there and empty.
pub(super) fn make_empty(path: &Path) -> Result<(), NewError> {
    let failed = |source| NewError::File { path: path.to_owned(), source };
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(NewError::Exists { path: path.to_owned() })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(NewError::Exists { path: path.to_owned() }),
        Err(error) => Err(failed(error)),
    }
}

/// The way from one folder to another, as a manifest writes it.
pub(super) fn relative(from: &Path, to: &Path) -> Result<String, NewError> {
    let real = |path: &Path| path.canonicalize().map_err(|source| NewError::File { path: path.to_owned(), source });
    let (from, to) = (real(from)?, real(to)?);
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let shared = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from.iter().skip(shared).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.into_iter().skip(shared)).collect();
    Ok(way.to_string_lossy().into_owned())
}
