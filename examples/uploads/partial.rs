//! A file that is not complete yet.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::task::spawn_blocking;

/// A file under a temporary name beside its target. It is removed when dropped before it is [persisted](Self::persist).
#[derive(Debug)]
pub(crate) struct Partial {
    target: PathBuf,
    path: PathBuf,
    file: File,
}

impl Partial {
    /// Creates a file that is to become the target.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no file: a file that is being created on the thread pool is dropped there.
    pub(crate) async fn create(target: PathBuf) -> io::Result<Self> {
        spawn_blocking(move || Self::create_beside(target)).await?
    }

    fn create_beside(target: PathBuf) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".upload-{}-{number}.part", process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { target, path, file: file.into() }),
                // Left by a killed process that had the same id.
                Err(taken) if taken.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.file.write_all(chunk).await
    }

    /// Moves the file to its target, once it is complete and on disk.
    pub(crate) async fn persist(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        tokio::fs::rename(&self.path, &self.target).await
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Checks that files can be created in this directory.
pub(crate) fn check(directory: &Path) -> io::Result<()> {
    Partial::create_beside(directory.join("any")).map(drop)
}
