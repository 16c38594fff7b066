//! The entries of the directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::task::spawn_blocking;

/// A listing of the directory. Files that vanish meanwhile are left out.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: Vec<Found>,
    /// The entries that are not copied, with the reason.
    pub(crate) skipped: BTreeMap<OsString, &'static str>,
}

/// A file, or an entry that may be one: its job then reports why it cannot be read.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: OsString,
    pub(crate) version: Option<Version>,
}

/// The properties that show whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    length: u64,
    /// Not available on every platform.
    modified: Option<SystemTime>,
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { length: metadata.len(), modified: metadata.modified().ok() }
    }
}

impl Listing {
    /// Lists the directory.
    pub(crate) async fn of(directory: PathBuf) -> io::Result<Self> {
        // One trip to the thread pool for all files.
        spawn_blocking(move || Self::read(&directory)).await?
    }

    fn read(directory: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            // This follows links.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {
                    listing.files.push(Found { name, version: Some(Version::of(&metadata)) });
                }
                Ok(metadata) => {
                    let what = if metadata.is_dir() { "a directory" } else { "neither a file nor a directory" };
                    listing.skipped.insert(name, what);
                }
                Err(_) if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {}
                Err(_) => listing.files.push(Found { name, version: None }),
            }
        }
        listing.files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }
}

/// A name for display and for a task and its slot. Two names never look the same, whatever bytes they have.
pub(crate) fn shown(name: &OsStr) -> String {
    let quoted = format!("{name:?}");
    quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(&quoted).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are() {
        for (name, expected) in [("a b.txt", "a b.txt"), ("it's ä", "it's ä"), ("a\nb\x1b", "a\\nb\\u{1b}")] {
            assert_eq!(shown(OsStr::new(name)), expected);
        }
    }

    #[test]
    #[cfg(unix)]
    fn names_that_are_no_text_differ() {
        use std::os::unix::ffi::OsStrExt;

        let names = [&b"\xff.txt"[..], b"\xfe.txt", b"\\xff.txt", "\u{fffd}.txt".as_bytes()];
        let names = names.map(|name| shown(OsStr::from_bytes(name)));
        assert_eq!(names, ["\\xFF.txt", "\\xFE.txt", "\\\\xff.txt", "\u{fffd}.txt"]);
    }

    #[test]
    fn files_are_told_from_what_is_none() {
        let listing = Listing::read(Path::new(".")).expect("the examples");
        let file = listing.files.iter().find(|found| found.name == "Cargo.toml");
        assert!(file.is_some_and(|found| found.version.is_some()));
        assert_eq!(listing.skipped.get(OsStr::new("uploads")), Some(&"a directory"));
    }
}
