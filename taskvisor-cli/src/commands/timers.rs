//! `timers`: the tasks and groups that begin at a known time.

use super::show;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Timer, Timers};
use crate::table::{Table, cell, whole};
use crate::time::{Time, ago, until};

pub(super) async fn run(client: &Client, json: bool, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get("timers").await?;
    show(&answer, json, output, text)
}

fn text(timers: &Timers, colored: bool) -> String {
    let Timers { timers, now } = timers;
    if timers.is_empty() {
        return "no timers\n".to_owned();
    }
    let mut table = Table::default();
    let title = |text| cell(text).style(Style::Title);
    table.row(["NEXT", "LEFT", "LAST", "PASSED", "KIND", "PATH"].map(title));
    for Timer { path, next_at, last_at, state, kind } in timers {
        let left = now.as_ref().map(|now| until(next_at, now)).unwrap_or_default();
        let passed = last_at.as_ref().zip(now.as_ref()).map(|(last, now)| ago(last, now));
        let kind = if kind.is_empty() { state } else { kind };
        table.row([
            cell(next_at.seconds()),
            cell(left),
            cell(last_at.as_ref().map_or_else(|| "-".to_owned(), Time::seconds)),
            cell(passed.unwrap_or_else(|| "-".to_owned())),
            cell(kind).style(if kind == "backoff" { Style::Waiting } else { Style::Plain }),
            whole(path),
        ]);
    }
    table.text("", colored)
}
