//! `slots`: all slots, or one of them with its tasks.

use serde_json::Value;

use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Full, Job, Slot, Slots};
use crate::table::{Table, cell, whole};
use crate::text::{plain, plain_json};
use crate::time::{Time, ago};

pub(super) async fn run(name: Option<&str>, client: &Client, json: bool, output: &mut Output) -> Result<(), Failure> {
    let answer = client.get::<Full>("tree").await?;
    let full = &answer.value;
    let slot = match name {
        None => None,
        Some(name) => {
            let slot = full.slots.iter().find(|slot| slot.name == name);
            Some(slot.ok_or_else(|| Failure::NoSuchPath { said: format!("no slot `{name}`") })?)
        }
    };
    let text = match slot {
        _ if json => as_json(&answer.text, name),
        Some(slot) => of_slot(slot, full, output.colored()),
        None => of_all(full, output.colored()),
    };
    output.print(&text)
}

/// The slots as the JSON of the console: a list, or the slot of that name.
fn as_json(text: &str, name: Option<&str>) -> String {
    // The text was parsed before, so this does not fail.
    let slots = serde_json::from_str::<Slots>(text).map(|all| all.slots).unwrap_or_default();
    let value = match name {
        Some(name) => slots.into_iter().find(|slot| slot["name"] == name).unwrap_or_default(),
        None => Value::Array(slots),
    };
    format!("{}\n", plain_json(&value.to_string()))
}

impl Slot {
    /// The slots of the keys that are busy or paused.
    fn keys<'a>(&'a self, full: &'a Full) -> impl Iterator<Item = &'a Self> {
        let is_key = |name: &str| name.strip_prefix(&self.name).is_some_and(|key| key.starts_with('/'));
        full.slots.iter().filter(move |slot| self.keyed && is_key(&slot.name))
    }

    /// The phase; with keys, that of the busiest one.
    pub(super) fn phase<'a>(&'a self, full: &'a Full) -> &'a str {
        let busy = |phase: &str| ["waiting", "stopping", "running"].iter().position(|known| *known == phase);
        let phases = self.keys(full).chain([self]).map(|slot| &*slot.phase);
        phases.max_by_key(|phase| busy(phase)).unwrap_or(&self.phase)
    }

    /// The phase, or `paused`.
    fn word<'a>(&'a self, full: &'a Full) -> &'a str {
        if self.paused { "paused" } else { self.phase(full) }
    }

    fn style(&self, full: &Full) -> Style {
        match self.word(full) {
            "running" => Style::Good,
            "waiting" | "stopping" => Style::Waiting,
            _ => Style::Faint,
        }
    }

    /// The number of submissions in the queue, and its capacity: `3/100`. With keys, the number in all their queues,
    /// because each has the capacity for itself.
    pub(super) fn queue(&self, full: &Full) -> String {
        match self.capacity {
            Some(capacity) if !self.keyed => format!("{}/{capacity}", self.queued),
            _ => self.keys(full).map(|key| key.queued).fold(self.queued, u64::saturating_add).to_string(),
        }
    }

    /// The time since which it is paused by itself.
    pub(super) fn paused_since(&self, now: &Time) -> String {
        self.paused_since.as_ref().map(|since| format!("paused {}", ago(since, now))).unwrap_or_default()
    }
}

fn of_all(full: &Full, colored: bool) -> String {
    if full.slots.is_empty() {
        return "no slots\n".to_owned();
    }
    let mut table = Table::default();
    table.row(["SLOT", "PHASE", "QUEUED", "OWNER", "", ""].map(|text| cell(text).style(Style::Title)));
    for slot in &full.slots {
        let owners: Vec<_> = slot.owners.iter().map(|owner| &*owner.path).collect();
        let more = if slot.keyed { "has keys" } else { "" };
        table.row([
            whole(&slot.name),
            cell(slot.word(full)).style(slot.style(full)),
            cell(slot.queue(full)),
            cell(if owners.is_empty() { "-".to_owned() } else { owners.join(", ") }),
            cell(more).style(Style::Faint),
            cell(slot.paused_since(&full.now)).style(Style::Faint),
        ]);
    }
    table.text("", colored)
}

fn of_slot(slot: &Slot, full: &Full, colored: bool) -> String {
    let (name, word) = (plain(&slot.name), plain(slot.word(full)));
    let mut text = format!("{}: {}\n", Style::Title.paint(&name, colored), slot.style(full).paint(&word, colored));
    let mut table = Table::default();
    let mut row = |title: &str, value: String| {
        if !value.is_empty() {
            table.row([cell(title), whole(value)]);
        }
    };
    let job = |Job { path, state }: &Job| format!("{path} ({state})");
    row("phase", if slot.paused { slot.phase(full).to_owned() } else { String::new() });
    row("since", slot.paused_since(&full.now));
    row("keys", if slot.keyed { keys(slot, full) } else { String::new() });
    row("queued", slot.queue(full));
    let each = slot.capacity.filter(|_| slot.keyed);
    row("", each.map(|capacity| format!("at most {capacity} in each key")).unwrap_or_default());
    for owner in &slot.owners {
        row("owner", job(owner));
    }
    if let Some(next) = &slot.next {
        row("next", job(next));
    }
    for waits in &slot.queue {
        row("queue", job(waits));
    }
    text.push_str(&table.text("  ", colored));
    text
}

/// The keys that are busy or paused.
fn keys(slot: &Slot, full: &Full) -> String {
    let keys: Vec<_> = slot.keys(full).filter_map(|key| key.name.get(slot.name.len() + 1..)).collect();
    if keys.is_empty() { "all idle".to_owned() } else { keys.join(", ") }
}
