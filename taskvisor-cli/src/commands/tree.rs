//! `tree`: all groups and tasks.

use std::collections::HashMap;

use super::show;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Full, Node};
use crate::table::{Table, cell, whole};
use crate::time::span;

pub(super) async fn run(client: &Client, json: bool, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get("tree").await?;
    show(&answer, json, output, text)
}

fn text(full: &Full, colored: bool) -> String {
    let mut table = Table::default();
    for (node, branch) in full.nodes.iter().zip(branches(&full.nodes)) {
        let age = node.since.as_ref().map(|since| span(full.now.since(since))).unwrap_or_default();
        let detail = if node.is_group() { node.strategy.clone().unwrap_or_default() } else { node.attempt() };
        let paused = if node.paused && node.state != "paused" { "paused" } else { "" };
        table.row([
            whole(format!("{branch}{}", node.name)),
            cell(node.word()).style(node.style()),
            cell(detail),
            cell(age).style(Style::Faint),
            cell([&*node.failures(), &*node.next(&full.now), paused].join(" ").trim()),
            cell(node.error()).style(Style::Bad),
        ]);
    }
    if table.is_empty() { "the tree is empty\n".to_owned() } else { table.text("", colored) }
}

/// The lines that lead to each node. Each node comes after its parent; nodes without a parent are at the left.
fn branches(nodes: &[Node]) -> Vec<String> {
    let mut last = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        last.insert(node.parent.as_deref(), index);
    }
    // The prefix of the lines of the children of each node.
    let mut below: HashMap<&str, String> = HashMap::new();
    let branches = nodes.iter().enumerate().map(|(index, node)| {
        let above = node.parent.as_deref().and_then(|parent| below.get(parent).cloned());
        let is_last = last.get(&node.parent.as_deref()) == Some(&index);
        let (branch, lower) = match above {
            None => (String::new(), String::new()),
            Some(above) if is_last => (format!("{above}└─ "), format!("{above}   ")),
            Some(above) => (format!("{above}├─ "), format!("{above}│  ")),
        };
        below.insert(&node.path, lower);
        branch
    });
    branches.collect()
}
