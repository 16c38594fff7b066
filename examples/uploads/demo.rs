//! A directory to copy where none is given, and somebody who works in it meanwhile.

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

/// So that the files take longer than who changes them.
const PACE: u64 = 40_000;

/// A directory of its own, which is removed in the end.
pub(crate) struct Demo {
    directory: PathBuf,
}

/// Changes a file while it is copied, twice, and another one while it waits for its turn; adds one.
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
    /// Makes the files, and the arguments those of a demo.
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

    /// Who changes the files.
    pub(crate) fn task(&self) -> TaskSpec {
        edit::spec(self.source())
    }

    /// Whether the destination is like the source.
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

/// The files of a directory, by name, and what is in them.
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
