//! `status`: the health of the tree, and the nodes that need attention.

use std::collections::{BTreeMap, HashSet};

use super::{Status, show};
use crate::client::{Client, query};
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Full, Node, Reason, Slot};
use crate::table::{Table, cell, whole};
use crate::text::plain;
use crate::time::{Time, ago, until};

pub(super) async fn run(
    path: Option<&str>,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<Status, Failure> {
    let answer =
        match (client.get::<Full>(&path.map_or_else(|| "tree".to_owned(), |path| query("tree", path))).await, path) {
            (Err(Failure::NoSuchPath { said }), Some(path)) => return waiting(said, path, client, json, output).await,
            (answer, _) => answer?,
        };
    let ready = is_ready(path, &answer.value);
    show(&answer, json, output, |full, colored| {
        let (head, nodes, slots) = match (path, full.nodes.split_first()) {
            (Some(_), Some((node, below))) => (of_node(node, ready, full, colored), below, &[][..]),
            _ => (of_tree(full, colored), &full.nodes[..], &full.slots[..]),
        };
        format!("{head}{}{}", attention(nodes, full, colored), paused(nodes, slots, full, colored))
    })?;
    Ok(if ready { Status::Success } else { Status::NotReady })
}

/// Returns whether the tree, or what is at a path, is live and ready.
///
/// The answer has the health of the whole tree only. So a part of a tree that is not well is judged by the problems at
/// and below its path. It can have one that does not count for readiness: then it is reported as not ready.
fn is_ready(path: Option<&str>, full: &Full) -> bool {
    let is_well = full.live && full.ready;
    match (path, full.nodes.first()) {
        (Some(path), Some(node)) if !path.is_empty() => {
            // `ready` of a group says only that its current run has been ready.
            let is_part_well = full.phase == "running" && full.nodes.iter().all(|node| node.problem.is_none());
            node.ready && (is_well || is_part_well)
        }
        _ => is_well,
    }
}

/// Prints the reason of a submission that waits in a slot: it has no node, but the console answers `why`. `said` is the
/// answer of the console for a path that does not exist.
async fn waiting(
    said: String,
    path: &str,
    client: &Client,
    json: bool,
    output: &mut Output,
) -> Result<Status, Failure> {
    let answer = client.get::<Reason>(&query("why", path)).await.ok().filter(|answer| answer.value.slot.is_some());
    let answer = answer.ok_or(Failure::NoSuchPath { said })?;
    show(&answer, json, output, |reason @ Reason { path, sentence, .. }, colored| {
        let mut table = Table::default();
        table.row([cell("why"), whole(sentence)]);
        table.row([cell("slot"), whole(reason.look().unwrap_or_default())]);
        let (path, word) = (plain(path), Style::Waiting.paint("queued", colored));
        format!("{}: {word}, not ready\n{}", Style::Title.paint(&path, colored), table.text("  ", colored))
    })?;
    Ok(Status::NotReady)
}

/// The tree in a few lines.
fn of_tree(full: &Full, colored: bool) -> String {
    let (live, live_style) = if full.live { ("live", Style::Good) } else { ("not live", Style::Bad) };
    let (ready, ready_style) = if full.ready { ("ready", Style::Good) } else { ("not ready", Style::Bad) };
    let mut text = format!(
        "{}: {}, {}, {}\n",
        Style::Title.paint(&plain(&full.name), colored),
        plain(&full.phase),
        live_style.paint(live, colored),
        ready_style.paint(ready, colored),
    );
    let mut table = Table::default();
    table.row([cell("tasks"), whole(counts(&full.nodes))]);
    if full.access == "read_only" {
        table.row([cell("access"), cell("read-only")]);
    }
    if let Some(fleet) = full.fleet.as_ref().filter(|fleet| !fleet.reachable) {
        let error = fleet.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        table.row([cell("fleet"), whole(format!("the store of leases does not answer{error}")).style(Style::Bad)]);
    }
    text.push_str(&table.text("  ", colored));
    text
}

/// The number of tasks, in all and by state.
fn counts(nodes: &[Node]) -> String {
    let tasks: Vec<_> = nodes.iter().filter(|node| !node.is_group()).collect();
    let mut by_word = BTreeMap::<_, usize>::new();
    for task in &tasks {
        *by_word.entry(task.word()).or_default() += 1;
    }
    let mut words: Vec<_> = by_word.into_iter().collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<_> = words.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    if words.is_empty() { "none".to_owned() } else { format!("{} ({})", tasks.len(), words.join(", ")) }
}

/// The details of one node.
fn of_node(node: &Node, ready: bool, full: &Full, colored: bool) -> String {
    let now = &full.now;
    let mut text = format!(
        "{}: {}, {}\n",
        Style::Title.paint(&plain(node.title()), colored),
        node.style().paint(&plain(node.word()), colored),
        if ready { "ready" } else { "not ready" },
    );
    let mut table = Table::default();
    let mut row = |title: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            table.row([cell(title), whole(value)]);
        }
    };
    row("why", Some(node.reason(now)));
    row("kind", node.strategy.as_ref().map(|strategy| format!("{} {strategy}", node.kind)));
    row("tasks", node.is_group().then(|| counts(&full.nodes)));
    row("attempt", (node.attempt > 0).then(|| node.attempt.to_string()));
    row("restarts", (node.restarts > 0).then(|| node.restarts.to_string()));
    row("failures", Some(node.failures().trim_start_matches("failures ").to_owned()));
    row("since", node.since.as_ref().map(|since| format!("{} ({})", since.seconds(), ago(since, now))));
    let paused = node.paused_since.as_ref();
    row("paused", paused.map(|since| format!("{} ({})", since.seconds(), ago(since, now))));
    row("next", node.next_at.as_ref().map(|next| format!("{} ({})", next.seconds(), until(next, now))));
    row("last", Some(recent(node)));
    if let Some(error) = &node.last_error {
        table.row([cell("error"), whole(error).style(Style::Bad)]);
    }
    text.push_str(&table.text("  ", colored));
    text
}

/// The outcomes of the last attempts: `28 completed, 2 failed`.
fn recent(node: &Node) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for outcome in node.recent.iter().filter_map(|attempt| attempt.get(2)?.as_str()) {
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome, 1)),
        }
    }
    let counts: Vec<_> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    counts.join(", ")
}

/// The tasks and groups that need attention.
fn attention(nodes: &[Node], full: &Full, colored: bool) -> String {
    let mut table = Table::default();
    for node in nodes.iter().filter(|node| node.needs_attention()) {
        table.row([
            whole(node.title()),
            cell(node.word()).style(node.style()),
            cell(node.attempt()),
            cell(node.failures()),
            cell(node.reason(&full.now)),
            cell(node.error()).style(Style::Bad),
        ]);
    }
    let title = Style::Title.paint("needs attention", colored);
    if table.is_empty() { String::new() } else { format!("\n{title}\n{}", table.text("  ", colored)) }
}

/// The paused nodes and slots, without those that are paused only with their group or with the slot of their key.
fn paused(nodes: &[Node], slots: &[Slot], full: &Full, colored: bool) -> String {
    let paused: HashSet<_> = full.nodes.iter().filter(|node| node.paused).map(|node| &*node.path).collect();
    let is_above = |node: &Node| node.parent.as_deref().is_some_and(|parent| paused.contains(parent));
    let mut table = Table::default();
    let since = |since: &Option<Time>| since.as_ref().map(|since| format!("paused {}", ago(since, &full.now)));
    for node in nodes.iter().filter(|node| node.paused && (node.paused_since.is_some() || !is_above(node))) {
        // The time of the pause, because the state of a due task began when it became due.
        let began = since(&node.paused_since).unwrap_or_default();
        table.row([
            whole(node.title()),
            cell(node.word()).style(node.style()),
            cell(began),
            whole(node.reason(&full.now)),
        ]);
    }
    for slot in slots.iter().filter(|slot| slot.paused_since.is_some()) {
        let queued = format!("{} queued", slot.queue(full));
        let began = since(&slot.paused_since).unwrap_or_default();
        table.row([whole(format!("slot {}", slot.name)), cell(slot.phase(full)), cell(began), cell(queued)]);
    }
    let title = Style::Title.paint("paused", colored);
    if table.is_empty() { String::new() } else { format!("\n{title}\n{}", table.text("  ", colored)) }
}
