//! Whether files hold something else than before.
//!
//! Their times say nothing of that: a ConfigMap is swapped by symlinks above the file, and two writes may fall into one
//! tick of the file system's clock. So they are read, which for a few small files costs less than a watch of folders that
//! are renamed away.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
};

/// What the files hold, as a number; a file that cannot be read counts by the reason.
pub(crate) fn digest(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(file).map_err(|error| error.kind()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Tells when files have changed and hold still.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Vec<PathBuf>,
    /// What was read last.
    known: u64,
    /// What was seen last.
    seen: u64,
}

impl Watched {
    pub(crate) fn new(files: Vec<PathBuf>) -> Self {
        let known = digest(&files);
        Self { files, known, seen: known }
    }

    /// Looks; true once after each change, when two looks in a row have seen the same.
    pub(crate) fn have_changed(&mut self) -> bool {
        let now = digest(&self.files);
        let is_at_rest = now == self.seen;
        self.seen = now;
        let has_changed = is_at_rest && now != self.known;
        if has_changed {
            self.known = now;
        }
        has_changed
    }

    /// Watches these from now on. Other files than before count as changed: they may have been read earlier than now.
    pub(crate) fn watch(&mut self, files: Vec<PathBuf>) {
        if files != self.files {
            *self = Self::new(files);
            self.known = !self.known;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_change_is_told_once_and_when_the_file_holds_still() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weft.toml");
        let mut watched = Watched::new(vec![file.clone()]);
        let mut looks = |count: usize| (0..count).map(|_| watched.have_changed()).collect::<Vec<_>>();
        assert_eq!(looks(2), [false, false]);
        fs::write(&file, "a").unwrap();
        assert_eq!(looks(1), [false], "perhaps half written");
        fs::write(&file, "ab").unwrap();
        assert_eq!(looks(4), [false, true, false, false]);
        fs::remove_file(&file).unwrap();
        assert_eq!(looks(3), [false, true, false]);
    }

    #[cfg(unix)]
    #[test]
    fn the_symlinks_of_a_config_map_are_seen_when_they_are_swapped() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "old"), ("..2", "new")] {
            fs::create_dir(path(version)).unwrap();
            fs::write(path(version).join("weft.toml"), text).unwrap();
        }
        symlink("..1", path("..data")).unwrap();
        symlink("..data/weft.toml", path("weft.toml")).unwrap();
        let mut watched = Watched::new(vec![path("weft.toml")]);
        assert!(!watched.have_changed());
        symlink("..2", path("..data_tmp")).unwrap();
        fs::rename(path("..data_tmp"), path("..data")).unwrap();
        assert_eq!([watched.have_changed(), watched.have_changed()], [false, true]);
    }
}
