//! `slots`: all slots, or one of them with its tasks.

use serde_json::Value;

use crate::client::Client;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::reply::{Full, Job, Slot, Slots};
use crate::table::{Table, cell};
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

/// The slots as the console has them: a list, or the one of that name.
fn as_json(text: &str, name: Option<&str>) -> String {
    // It was read before.
    let slots = serde_json::from_str::<Slots>(text).map(|all| all.slots).unwrap_or_default();
    let value = match name {
        Some(name) => slots.into_iter().find(|slot| slot["name"] == name).unwrap_or_default(),
        None => Value::Array(slots),
    };
    format!("{}\n", plain_json(&value.to_string()))
}

impl Slot {
    /// The phase, or that it is paused.
    fn word(&self) -> &str {
        if self.paused { "paused" } else { &self.phase }
    }

    fn style(&self) -> Style {
        match self.word() {
            "running" => Style::Good,
            "waiting" | "stopping" => Style::Waiting,
            _ => Style::Faint,
        }
    }

    /// The number in the queue, of those that it can have: `3/100`.
    pub(super) fn queue(&self) -> String {
        match self.capacity {
            Some(capacity) => format!("{}/{capacity}", self.queued),
            None => self.queued.to_string(),
        }
    }

    /// Since when it is paused by itself.
    pub(super) fn paused_since(&self, now: &Time) -> String {
        self.paused_since.as_ref().map(|since| format!("paused {}", ago(since, now))).unwrap_or_default()
    }
}

fn of_all(full: &Full, colored: bool) -> String {
    if full.slots.is_empty() {
        return "no slots\n".to_owned();
    }
    let mut table = Table::default();
    table.row(["SLOT", "PHASE", "QUEUED", "OWNER", ""].map(|text| cell(text).style(Style::Title)));
    for slot in &full.slots {
        let owners: Vec<_> = slot.owners.iter().map(|owner| &*owner.path).collect();
        let more = if slot.keyed { "has keys" } else { "" };
        table.row([
            cell(&slot.name),
            cell(slot.word()).style(slot.style()),
            cell(slot.queue()),
            cell(if owners.is_empty() { "-".to_owned() } else { owners.join(", ") }),
            cell([more, &slot.paused_since(&full.now)].join(" ").trim()).style(Style::Faint),
        ]);
    }
    table.text("", colored)
}

fn of_slot(slot: &Slot, full: &Full, colored: bool) -> String {
    let (name, word) = (plain(&slot.name), plain(slot.word()));
    let mut text = format!("{}: {}\n", Style::Title.paint(&name, colored), slot.style().paint(&word, colored));
    let mut table = Table::default();
    let mut row = |title: &str, value: String| {
        if !value.is_empty() {
            table.row([cell(title), cell(value)]);
        }
    };
    let job = |Job { path, state }: &Job| format!("{path} ({state})");
    row("phase", if slot.paused { slot.phase.clone() } else { String::new() });
    row("since", slot.paused_since(&full.now));
    row("keys", if slot.keyed { keys(slot, full) } else { String::new() });
    row("queued", slot.queue());
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
    let keys = full.slots.iter().filter_map(|key| key.name.strip_prefix(&slot.name)?.strip_prefix('/'));
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() { "all idle".to_owned() } else { keys.join(", ") }
}
