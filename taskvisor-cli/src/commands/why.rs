//! `why`: one sentence.

use super::show;
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::Output;
use crate::reply::Reason;
use crate::text::{argument, plain};

pub(super) async fn run(path: &str, client: &Client, json: bool, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&query("why", path)).await?;
    show(&answer, json, output, |reason @ Reason { path, sentence, .. }, _| {
        let path = if path.is_empty() { "the tree" } else { path };
        let more = reason.look().map(|look| format!("; see {look}")).unwrap_or_default();
        format!("{}: {}{}\n", plain(path), plain(sentence), plain(&more))
    })
}

impl Reason {
    /// The command that shows the slot of a submission that waits.
    pub(super) fn look(&self) -> Option<String> {
        self.slot.as_ref().map(|slot| format!("`taskvisor slots {}`", argument(slot)))
    }
}
