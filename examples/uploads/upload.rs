//! The job: copies one file.

use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep_until};

use crate::listing::Version;
use crate::partial::Partial;

/// The maximum speed of a job, in bytes per second.
pub(crate) type Pace = Option<NonZeroU64>;

const LARGEST_CHUNK: usize = 64 * 1024;

/// Copies a file. It is requested to stop only if a newer version replaces it or the program is aborted.
#[task(max_retries = 3, backoff(first = "200ms", max = "2s", factor = 2.0, jitter = "equal"))]
pub(crate) async fn upload(ctx: TaskContext, source: PathBuf, target: PathBuf, pace: Pace) -> Result<(), TaskError> {
    let mut file = File::open(&source).await.map_err(cannot("read"))?;
    let before = file.metadata().await.map_err(cannot("read"))?;
    let mut copy = Partial::create(target).await.map_err(cannot("written"))?;

    let mut chunk = vec![0; chunk_size(pace)];
    let (began, mut copied) = (Instant::now(), 0);
    loop {
        let length = file.read(&mut chunk).await.map_err(cannot("read"))?;
        if length == 0 {
            break;
        }
        copy.write(&chunk[..length]).await.map_err(cannot("written"))?;
        copied += length as u64;
        if let Some(pace) = pace {
            sleep_until(began + time_for(copied, pace.get())).await;
        }
        if ctx.is_cancelled() {
            return Err(TaskError::Canceled);
        }
    }

    let after = file.metadata().await.map_err(cannot("read"))?;
    if Version::of(&before) != Version::of(&after) {
        return Err(TaskError::Fail { reason: "it changed while it was copied".into() });
    }
    copy.persist().await.map_err(cannot("written"))
}

fn cannot(what: &str) -> impl Fn(io::Error) -> TaskError {
    move |error| {
        let reason = format!("cannot be {what}: {error}");
        match error.kind() {
            // A retry does not bring the file back. If it reappears, it is found again.
            io::ErrorKind::NotFound => TaskError::Fatal { reason },
            _ => TaskError::Fail { reason },
        }
    }
}

/// A tenth of a second's worth, so that a slow job still notices a stop request in time.
fn chunk_size(pace: Pace) -> usize {
    let tenth = pace.and_then(|pace| usize::try_from(pace.get() / 10).ok());
    tenth.unwrap_or(LARGEST_CHUNK).clamp(1, LARGEST_CHUNK)
}

fn time_for(bytes: u64, pace: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(pace);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_takes_a_tenth_of_a_second_at_most() {
        let size = |pace| chunk_size(NonZeroU64::new(pace));
        assert_eq!([0, 1, 1000, 640_000, u64::MAX].map(size), [LARGEST_CHUNK, 1, 100, 64_000, LARGEST_CHUNK]);
    }

    #[test]
    fn time_follows_the_pace() {
        assert_eq!(time_for(1500, 1000), Duration::from_millis(1500));
        assert_eq!(time_for(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(time_for(u64::MAX, 1), Duration::from_nanos(u64::MAX));
    }
}
