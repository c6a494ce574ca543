//! A schema out of a file.

use std::path::Path;

use super::{Described, LARGEST};
use crate::error::EdgeError;

pub(super) async fn read(path: &Path) -> Result<Described, EdgeError> {
    let unreadable = |source| EdgeError::SchemaFile { path: path.to_owned(), source };
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > LARGEST as u64 {
        return Err(EdgeError::SchemaTooLarge { limit: LARGEST });
    }
    let set = tokio::fs::read(path).await.map_err(unreadable)?;
    Ok(Described { set, services: None })
}
