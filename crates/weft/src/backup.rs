//! Copies of the records of all domains, and the way back.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use weft_config::{BlobsUrl, Config};
use weft_mesh::{Domain, database_settings as settings, store::backup as copies};

use crate::failure::Failure;

/// The folder of a backup that holds files.
const FILES: &str = "blobs";
/// What of a folder of blobs is blobs: the rest is its key for links.
const TENANTS: &str = "tenant";

/// Copies every domain's file, and the files that domains keep. Keys (`seal.key`, the development authority) are not copied: a backup that lies about must
/// not open what is sealed in it.
pub(crate) async fn backup(config: &Config, domains: &[Domain], folder: &Path, out: &mut impl Write) -> Result<(), Failure> {
    copy_files(files(config).as_deref(), Some(&folder.join(FILES)))?;
    for domain in domains {
        let failed = |source| Failure::Backup { domain: domain.name(), source };
        let copy = copies::backup(&settings(config), domain.schema(), folder).await.map_err(failed)?;
        writeln!(out, "{}: {}", domain.name(), copy.display()).map_err(Failure::Output)?;
    }
    // Again, for what has come since: a record that was copied finds its file.
    copy_files(files(config).as_deref(), Some(&folder.join(FILES)))?;
    tell_of_files(config, out)
}

/// Puts every domain's copy back, where no file of the domain is.
pub(crate) async fn restore(config: &Config, domains: &[Domain], folder: &Path, out: &mut impl Write) -> Result<(), Failure> {
    for domain in domains {
        let failed = |source| Failure::Backup { domain: domain.name(), source };
        let file = copies::restore(&settings(config), domain.schema(), folder).await.map_err(failed)?;
        writeln!(out, "{}: {}", domain.name(), file.display()).map_err(Failure::Output)?;
    }
    copy_files(Some(&folder.join(FILES)), files(config).as_deref())?;
    tell_of_files(config, out)
}

/// The folder that files are kept in, if it is one.
fn files(config: &Config) -> Option<PathBuf> {
    match &config.blobs.url {
        Some(BlobsUrl::Folder(folder)) => Some(folder.clone()),
        Some(BlobsUrl::Bucket { .. }) => None,
        None => Some(config.data_dir.join(FILES)),
    }
}

fn tell_of_files(config: &Config, out: &mut impl Write) -> Result<(), Failure> {
    let told = match files(config) {
        Some(folder) => folder.display().to_string(),
        None => "in a bucket, which is backed up by its own means".to_owned(),
    };
    writeln!(out, "files: {told}").map_err(Failure::Output)
}

/// Copies blobs from folder to folder. They never change: what is there already is the same.
fn copy_files(from: Option<&Path>, to: Option<&Path>) -> Result<(), Failure> {
    let (Some(from), Some(to)) = (from, to) else { return Ok(()) };
    copy_folder(&from.join(TENANTS), &to.join(TENANTS)).map_err(|source| Failure::Files { folder: from.to_owned(), source })
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&source, &copy)?;
        // One with a # is on its way, and no blob yet.
        } else if !copy.exists() && !entry.file_name().to_string_lossy().contains('#') {
            copy_file(&source, &copy)?;
        }
    }
    Ok(())
}

/// Under another name first, so that a copy that broke off is never taken for whole.
fn copy_file(source: &Path, copy: &Path) -> io::Result<()> {
    let draft = copy.with_extension("partial");
    match fs::copy(source, &draft) {
        // Deleted meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        copied => copied?,
    };
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, copy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn files_are_copied_but_for_the_key_of_links_and_what_is_on_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let blobs = from.join("tenant/t/auth/person/p/avatar");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(from.join("link.key"), "secret").unwrap();
        fs::write(blobs.join("one"), "1").unwrap();
        fs::write(blobs.join("two#1"), "half").unwrap();
        copy_files(Some(&from), Some(&to)).unwrap();
        fs::write(blobs.join("three"), "3").unwrap();
        copy_files(Some(&from), Some(&to)).unwrap();
        let copied = to.join("tenant/t/auth/person/p/avatar");
        let mut names: Vec<_> = fs::read_dir(&copied).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["one", "three"]);
        assert_eq!(fs::read_to_string(copied.join("three")).unwrap(), "3");
        assert!(!to.join("link.key").exists());
        copy_files(Some(&folder.path().join("nowhere")), Some(&to)).unwrap();
    }
}
