//! What is said of a path that is not there.

use taskvisor_parse::suggest::closest;

use crate::client::Client;
use crate::failure::Failure;
use crate::reply::Full;

/// Names what is not there, and what could be meant. `of_slot` if it should be a slot; `command` is what does the like with
/// a slot. `said` is the answer of the console, if it cannot be asked again.
pub(super) async fn named(said: String, name: &str, of_slot: bool, command: &str, client: &Client) -> Failure {
    let said = match client.get::<Full>("tree").await {
        Ok(answer) => sentence(name, of_slot, command, &answer.value).unwrap_or(said),
        Err(_) => said,
    };
    Failure::NoSuchPath { said }
}

/// `None` if it is there by now.
fn sentence(name: &str, of_slot: bool, command: &str, full: &Full) -> Option<String> {
    let is_node = full.nodes.iter().any(|node| node.path == name);
    let is_slot = full.slots.iter().any(|slot| slot.name == name);
    // The slot of an idle key is not in the list.
    let slot_of_key = full.slots.iter().find(|slot| {
        slot.keyed && name.strip_prefix(&slot.name).is_some_and(|key| key.len() > 1 && key.starts_with('/'))
    });
    match (is_node, is_slot, of_slot) {
        (true, _, false) | (_, true, true) => None,
        (true, false, true) => Some(format!("`{name}` is no slot, but a task or group: `taskvisor status {name}`")),
        (false, true, false) => Some(format!("`{name}` is a slot: `taskvisor {command} {name}`")),
        (false, false, _) => Some(match slot_of_key {
            Some(slot) if of_slot => format!("`{name}` is an idle key of the slot `{}`", slot.name),
            Some(slot) => {
                format!("`{name}` is an idle key of the slot `{}`: `taskvisor slots {}`", slot.name, slot.name)
            }
            None => not_found(name, full),
        }),
    }
}

fn not_found(name: &str, full: &Full) -> String {
    let known = || full.nodes.iter().map(|node| &*node.path).chain(full.slots.iter().map(|slot| &*slot.name));
    // The last part of a path is often taken for the path.
    let ends = |path: &&str| path.rsplit_once('/').is_some_and(|(_, last)| last == name);
    let near = known().find(ends).or_else(|| closest(name, known()));
    let near = near.map(|near| format!("; near: `{near}`")).unwrap_or_default();
    format!("no task, group or slot `{name}`{near}")
}
