//! The message about a path that does not exist.

use taskvisor_parse::suggest::closest;

use crate::client::Client;
use crate::failure::Failure;
use crate::reply::{Full, Job, Slot};
use crate::text::argument;

/// Names the missing path or slot, and a suggestion. `of_slot` is `true` if a slot is expected. `command` is the
/// corresponding command for a slot. `said` is the answer of the console, which is used if the tree cannot be read.
pub(super) async fn named(said: String, name: &str, of_slot: bool, command: &str, client: &Client) -> Failure {
    let said = match client.get::<Full>("tree").await {
        Ok(answer) => sentence(name, of_slot, command, &answer.value).unwrap_or(said),
        Err(_) => said,
    };
    Failure::NoSuchPath { said }
}

/// Returns the message. `None` if the name exists by now.
fn sentence(name: &str, of_slot: bool, command: &str, full: &Full) -> Option<String> {
    let is_node = full.nodes.iter().any(|node| node.path == name);
    let is_slot = full.slots.iter().any(|slot| slot.name == name);
    match (is_node, is_slot, of_slot) {
        (true, _, false) | (_, true, true) => None,
        (true, false, true) => {
            Some(format!("`{name}` is no slot, but a task or group: `taskvisor status {}`", argument(name)))
        }
        (false, true, false) => Some(format!("`{name}` is a slot: `taskvisor {command} {}`", argument(name))),
        (false, false, _) => Some(in_slot(name, of_slot, full).unwrap_or_else(|| not_found(name, full))),
    }
}

/// Returns the message about a waiting submission, or about a name in a slot with keys.
fn in_slot(name: &str, of_slot: bool, full: &Full) -> Option<String> {
    let see = |slot: &Slot| format!("`taskvisor slots {}`", argument(&slot.name));
    let is_it = |job: &Job| job.path == name;
    if let Some(slot) = full.slots.iter().find(|slot| slot.next.iter().chain(&slot.queue).any(is_it)) {
        return Some(format!("`{name}` waits in the slot `{}`: {}", slot.name, see(slot)));
    }
    let rest = |slot: &Slot| name.strip_prefix(&slot.name)?.strip_prefix('/').filter(|rest| !rest.is_empty());
    let (slot, rest_of_it) = full.slots.iter().filter(|slot| slot.keyed).find_map(|slot| Some((slot, rest(slot)?)))?;
    // The slot of an idle key is not in the list. A key can have any text.
    let is_key = |key: &&Slot| !key.keyed && key.name.starts_with(&slot.name) && rest(key).is_some();
    let key = full.slots.iter().filter(is_key).max_by_key(|key| key.name.len());
    Some(match key {
        _ if of_slot => format!("`{name}` is an idle key of the slot `{}`", slot.name),
        // Only the first submissions of a long queue are listed.
        Some(key) if key.queued > key.queue.len() as u64 => {
            let listed = key.queue.len();
            format!("`{name}` is not among the first {listed} that wait in the slot `{}`: {}", key.name, see(key))
        }
        Some(key) => format!("nothing runs or waits at `{name}`: {}", see(key)),
        None if rest_of_it.contains('/') => {
            format!("nothing runs or waits at `{name}`, whose key of the slot `{}` is idle: {}", slot.name, see(slot))
        }
        None => format!("`{name}` is an idle key of the slot `{}`: {}", slot.name, see(slot)),
    })
}

fn not_found(name: &str, full: &Full) -> String {
    let known = || full.nodes.iter().map(|node| &*node.path).chain(full.slots.iter().map(|slot| &*slot.name));
    // The last part of a path is often mistaken for the path.
    let ends = |path: &&str| path.rsplit_once('/').is_some_and(|(_, last)| last == name);
    let near = known().find(ends).or_else(|| closest(name, known()));
    if name == full.name {
        return format!("`{name}` is the whole tree, whose path is empty: \"\"");
    }
    let near = near.map(|near| format!("; near: `{near}`")).unwrap_or_default();
    format!("no task, group or slot `{name}`{near}")
}
