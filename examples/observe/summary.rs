//! Failures by path, counted from the stream of events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use taskvisor::prelude::*;
use tokio::time::interval;

use crate::say;

/// Prints the number of failures of each task every second.
#[task(restart = "always")]
pub(crate) async fn failures(ctx: TaskContext) {
    let mut events = ctx.supervisor().events().of_kinds([EventKind::TaskFailed]);
    let mut counts = Counts::default();
    let mut second = interval(Duration::from_secs(1));
    second.tick().await;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => *counts.by_path.entry(event.task).or_default() += 1,
                // The stream was read too slowly. The counts are too low by at most this many.
                Some(Err(lagged)) => counts.lost += lagged.count,
                None => return,
            },
            _ = second.tick() => say(&counts.line()),
            _ = ctx.cancelled() => return,
        }
    }
}

#[derive(Default)]
struct Counts {
    by_path: BTreeMap<Option<Arc<str>>, u64>,
    lost: u64,
}

impl Counts {
    fn line(&self) -> String {
        let count =
            |(path, count): (&Option<Arc<str>>, &u64)| format!(" {}={count}", path.as_deref().unwrap_or_default());
        let counts: String = self.by_path.iter().map(count).collect();
        let lost = if self.lost > 0 { format!(" ({} events lost)", self.lost) } else { String::new() };
        format!("failures:{counts}{lost}")
    }
}
