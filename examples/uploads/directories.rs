//! The source and the destination.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::listing::shown;
use crate::partial;

/// Two existing, different directories.
#[derive(Debug)]
pub(crate) struct Directories {
    pub(crate) source: PathBuf,
    pub(crate) destination: PathBuf,
}

impl Directories {
    /// Creates the destination if it does not exist. The error names the wrong directory and the problem.
    pub(crate) fn check(source: PathBuf, destination: Option<PathBuf>) -> Result<Self, String> {
        let real_source = real(&source)?;
        let from = shown(source.as_os_str());
        let destination = match destination {
            Some(destination) => destination,
            None => beside(&real_source).ok_or_else(|| format!("`{from}` has no name, so that DEST is needed"))?,
        };
        let to = shown(destination.as_os_str());
        match fs::create_dir(&destination) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(format!("`{to}` cannot be made: {error}"));
            }
            _ => {}
        }
        if real(&destination)? == real_source {
            return Err(format!("`{from}` and `{to}` are the same directory"));
        }
        partial::check(&destination).map_err(|error| format!("`{to}` cannot be written to: {error}"))?;
        Ok(Self { source, destination })
    }
}

fn real(directory: &Path) -> Result<PathBuf, String> {
    let name = shown(directory.as_os_str());
    let real = fs::canonicalize(directory).map_err(|error| format!("`{name}`: {error}"))?;
    if real.is_dir() { Ok(real) } else { Err(format!("`{name}` is a file, expected a directory")) }
}

/// `photos.uploaded` for `photos`.
fn beside(directory: &Path) -> Option<PathBuf> {
    let mut name = directory.file_name()?.to_owned();
    name.push(".uploaded");
    Some(directory.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_destination_is_beside_the_source() {
        assert_eq!(beside(Path::new("/data/photos.2026")), Some("/data/photos.2026.uploaded".into()));
        assert_eq!(beside(Path::new("/")), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |source: &str, destination: &str| {
            Directories::check(source.into(), Some(destination.into())).expect_err("a bad pair")
        };
        assert!(check("no-such-directory", "target").starts_with("`no-such-directory`: "));
        assert_eq!(check("Cargo.toml", "target"), "`Cargo.toml` is a file, expected a directory");
        assert_eq!(check(".", "Cargo.toml"), "`Cargo.toml` is a file, expected a directory");
        assert_eq!(check(".", "uploads/.."), "`.` and `uploads/..` are the same directory");
        assert!(check(".", "no/such").starts_with("`no/such` cannot be made: "));
    }
}
