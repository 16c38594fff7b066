//! Reads the shown data from the supervisor and the history.

use std::time::SystemTime;

use serde_json::{Value, json, value::to_value};
use taskvisor::{HistoryEntry, NodeSnapshot, PathHistory, TaskState, TreeSnapshot, WaitingFor};

use super::changes::{Position, full, write_list};
use super::mirror::Mirror;
use super::node;
use super::slot::Waits;
use super::times::rfc3339;
use super::why::Why;
use crate::live::Hub;
use crate::settings::Settings;
use crate::sync::lock;
use crate::view::Status;

/// The largest number of events in the details of a path, and in the log.
const EVENTS: usize = 50;

/// Reads the tree, with redacted errors.
pub(crate) fn tree(settings: &Settings) -> TreeSnapshot {
    let mut tree = settings.supervisor.tree();
    if settings.redact.is_some() {
        let mut next = vec![&mut tree.root];
        while let Some(node) = next.pop() {
            settings.redact_node(node);
            next.extend(&mut node.children);
        }
    }
    tree
}

fn mirror(settings: &Settings) -> Mirror {
    let mut mirror = Mirror::default();
    mirror.replace(tree(settings), settings);
    mirror
}

/// Returns the message of the whole tree, or of the part at a path, without its head. `None` if there is nothing at the
/// path.
pub(crate) fn now(settings: &Settings, hub: &Hub, path: &str) -> Option<String> {
    let mirror = mirror(settings);
    let status = Status::of(&settings.supervisor.health());
    let at = Position { boot: &hub.boot, seq: hub.seq(), status };
    mirror.json(path)?;
    Some(full(&mirror, path, &at, &slots(settings), &leases(settings)))
}

/// Formats a node. The other nodes are those of the mirror if a pump runs, and are read otherwise.
fn rendered(settings: &Settings, hub: &Hub, node: &NodeSnapshot) -> Option<(String, Why)> {
    if let Some(known) = lock(&hub.mirror).as_ref().and_then(|mirror| mirror.render_anew(&node.path, node, settings)) {
        return Some(known);
    }
    mirror(settings).render_anew(&node.path, node, settings)
}

/// Returns the details of one node. `None` if there is no such node.
pub(crate) fn detail(settings: &Settings, hub: &Hub, path: &str) -> Option<String> {
    let mut detail = settings.supervisor.detail(path)?;
    settings.redact_node(&mut detail.node);
    let (node, _) = rendered(settings, hub, &detail.node)?;
    let options: serde_json::Map<String, Value> =
        detail.options.into_iter().map(|(option, text)| (option.to_owned(), text.into())).collect();
    let mut fields = json!({ "settings": options, "awaits": detail.awaits });
    if let Some(error) = detail.error {
        let sources: Vec<_> = error.sources.into_iter().map(|source| settings.redacted(source)).collect();
        fields["error"] = json!({ "message": settings.redacted(error.message), "sources": sources });
    }
    if let Some(history) = &settings.history {
        let mut history = history.of(path);
        redact_history(&mut history, settings);
        fields["history"] = to_value(history).unwrap_or_default();
    }
    let mut events = String::new();
    write_list(&hub.with_log(|log| log.last(Some(path), EVENTS)), &mut events);
    let fields = fields.to_string();
    let fields = fields.strip_suffix('}').unwrap_or(&fields);
    Some(format!("{fields},\"node\":{node},\"events\":{events}}}"))
}

fn redact_history(history: &mut PathHistory, settings: &Settings) {
    if settings.redact.is_none() {
        return;
    }
    for entry in &mut history.entries {
        if let HistoryEntry::Attempt(attempt) = entry {
            attempt.reason = attempt.reason.take().map(|reason| settings.redacted(reason.to_string()).into());
        }
    }
}

/// Returns why a node is in its state, or where a submission waits. `None` if there is neither.
pub(crate) fn why(settings: &Settings, hub: &Hub, path: &str) -> Option<String> {
    let Some(node) = settings.node(path) else {
        let waits = Waits::of(&settings.supervisor, path)?;
        let why = waits.why();
        return Some(
            json!({ "path": path, "why": node::why(&why), "sentence": why.text, "slot": waits.slot }).to_string(),
        );
    };
    let (_, mut why) = rendered(settings, hub, &node)?;
    if let Some(WaitingFor::Permit | WaitingFor::Limit(_)) = node.waiting_for {
        why.name_holders(&settings.supervisor.detail(path)?.awaits);
    }
    let sentence = why.sentence(SystemTime::now());
    Some(json!({ "path": path, "why": node::why(&why), "sentence": sentence }).to_string())
}

/// Returns the nodes that wait for a time, the soonest first. Nodes that stand by are left out: another replica runs
/// them at their times.
pub(crate) fn timers(settings: &Settings) -> String {
    let mut timers = Vec::new();
    let mut next = vec![settings.supervisor.tree().root];
    while let Some(mut node) = next.pop() {
        // No task in a group that stands by begins in this process.
        if node.state == TaskState::Standby {
            continue;
        }
        next.append(&mut node.children);
        let Some(at) = node.next_at.or(node.next_run) else { continue };
        let kind = match node.state {
            TaskState::Backoff => "backoff",
            TaskState::Interval | TaskState::Throttled => "interval",
            TaskState::Delayed => "delay",
            _ if node.next_run.is_some() => "schedule",
            _ => "delay",
        };
        let last = settings.history.as_ref().and_then(|history| history.of(&node.path).last()?.began);
        let mut timer = json!({ "path": node.path, "next_at": rfc3339(at), "state": node.state, "kind": kind });
        if let Some(last) = last {
            timer["last_at"] = rfc3339(last).into();
        }
        timers.push((at, node.path, timer));
    }
    timers.sort_by(|(at, path, _), (other_at, other, _)| (at, path).cmp(&(other_at, other)));
    let timers: Vec<_> = timers.into_iter().map(|(.., timer)| timer).collect();
    json!({ "now": rfc3339(SystemTime::now()), "timers": timers }).to_string()
}

pub(crate) fn slots(settings: &Settings) -> String {
    // Snapshots have only texts and numbers, whose serialization cannot fail.
    serde_json::to_string(&settings.supervisor.slots()).unwrap_or_else(|_| "[]".to_owned())
}

/// Returns the leases and the state of the fleet, as fields.
#[cfg(feature = "fleet")]
pub(crate) fn leases(settings: &Settings) -> String {
    let Some(fleet) = settings.supervisor.fleet() else { return NO_LEASES.to_owned() };
    let leases = to_value(fleet.leases).unwrap_or_default();
    let mut state = json!({ "reachable": fleet.unreachable.is_none() });
    if let Some(error) = fleet.unreachable {
        state["error"] = settings.redacted(error).into();
    }
    format!(",\"leases\":{leases},\"fleet\":{state}")
}

#[cfg(not(feature = "fleet"))]
pub(crate) fn leases(_: &Settings) -> String {
    NO_LEASES.to_owned()
}

const NO_LEASES: &str = ",\"leases\":[]";

/// Returns the last lines of the log.
pub(crate) fn log(hub: &Hub) -> String {
    let mut out = String::from("{\"log\":");
    write_list(&hub.with_log(|log| log.last(None, usize::MAX)), &mut out);
    out.push('}');
    out
}
