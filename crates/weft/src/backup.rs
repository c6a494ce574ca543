//! Copies of the records of all domains, and the way back.

use std::{io::Write, path::Path};

use weft_config::Config;
use weft_mesh::{Domain, database_settings as settings, store::backup as copies};

use crate::failure::Failure;

/// Copies every domain's file. Keys (`seal.key`, the development authority) are not copied: a backup that lies about must
/// not open what is sealed in it.
pub(crate) async fn backup(config: &Config, domains: &[Domain], folder: &Path, out: &mut impl Write) -> Result<(), Failure> {
    for domain in domains {
        let failed = |source| Failure::Backup { domain: domain.name(), source };
        let copy = copies::backup(&settings(config), domain.schema(), folder).await.map_err(failed)?;
        writeln!(out, "{}: {}", domain.name(), copy.display()).map_err(Failure::Output)?;
    }
    Ok(())
}

/// Puts every domain's copy back, where no file of the domain is.
pub(crate) async fn restore(config: &Config, domains: &[Domain], folder: &Path, out: &mut impl Write) -> Result<(), Failure> {
    for domain in domains {
        let failed = |source| Failure::Backup { domain: domain.name(), source };
        let file = copies::restore(&settings(config), domain.schema(), folder).await.map_err(failed)?;
        writeln!(out, "{}: {}", domain.name(), file.display()).map_err(Failure::Output)?;
    }
    Ok(())
}
