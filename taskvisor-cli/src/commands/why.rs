//! `why`: one sentence.

use super::show;
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::Output;
use crate::reply::Reason;
use crate::text::plain;

pub(super) async fn run(path: &str, client: &Client, json: bool, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get(&query("why", path)).await?;
    show(&answer, json, output, |Reason { path, sentence }, _| {
        let path = if path.is_empty() { "the tree" } else { path };
        format!("{}: {}\n", plain(path), plain(sentence))
    })
}
