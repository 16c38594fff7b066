//! A directory to copy if none is given, and a task that changes its files.

use std::env;
use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::say;

/// Slow enough that copying takes longer than the changes.
const PACE: u64 = 40_000;

/// A directory of its own, which is removed at the end.
pub(crate) struct Demo {
    directory: PathBuf,
}

/// Changes a file twice while it is copied, changes another while it waits, and adds a third.
#[task]
async fn edit(source: PathBuf) -> io::Result<()> {
    for part in 1..=2 {
        sleep(Duration::from_millis(400)).await;
        fs::write(source.join("changes.bin"), contents(30_000 + part))?;
    }
    fs::write(source.join("waits.bin"), contents(12_345))?;
    fs::write(source.join("new.bin"), contents(500))
}

impl Demo {
    /// Makes the files, and sets the arguments for the demo.
    pub(crate) fn set_up(arguments: &mut Arguments) -> io::Result<Self> {
        let directory = env::temp_dir().join(format!("uploads-demo-{}", process::id()));
        fs::create_dir(&directory)?;
        let demo = Self { directory };
        let source = demo.source();
        fs::create_dir_all(source.join("subdirectory"))?;
        fs::write(source.join("empty.bin"), "")?;
        for (name, length) in [("changes.bin", 50_000), ("waits.bin", 20_000)] {
            fs::write(source.join(name), contents(length))?;
        }
        for number in 1..=6 {
            fs::write(source.join(format!("file{number}.bin")), contents(number * 10_000))?;
        }
        arguments.source = Some(source);
        arguments.destination = Some(demo.destination());
        arguments.once = true;
        arguments.pace = NonZeroU64::new(PACE);
        say(io::stdout(), "No directory given: some files are made, of which a few change while they are copied.");
        Ok(demo)
    }

    /// The task that changes the files.
    pub(crate) fn task(&self) -> TaskSpec {
        edit::spec(self.source())
    }

    /// Returns whether the destination has the same files as the source.
    pub(crate) fn verify(&self) -> bool {
        match (read(&self.source()), read(&self.destination())) {
            (Ok(originals), Ok(copies)) if originals == copies => {
                say(io::stdout(), "Each copy is like its original, and nothing else is there.");
                true
            }
            (originals, copies) => {
                let wrong = originals.and(copies).map_or_else(|error| error.to_string(), |_| "they differ".into());
                say(io::stderr(), &format!("uploads: the copies are not like their originals: {wrong}"));
                false
            }
        }
    }

    fn source(&self) -> PathBuf {
        self.directory.join("source")
    }

    fn destination(&self) -> PathBuf {
        self.directory.join("destination")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn contents(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

/// The files of a directory with their contents, by name.
fn read(directory: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            files.push((path.file_name().unwrap_or_default().into(), fs::read(&path)?));
        }
    }
    files.sort_unstable();
    Ok(files)
}
