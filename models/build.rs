//! Writes copies of the bus with one planted bug each, for the models to find.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

const FILES: [&str; 6] = ["crew", "duty", "exchange", "lane", "open", "sieve"];

/// The name of a copy and its replacements: file, text, replacement.
type Mutant = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

const MUTANTS: [Mutant; 9] = [
    // The relay is woken before there is an event to share.
    (
        "wake_before_push",
        &[
            (
                "exchange",
                "        let relay = {\n            let mut open = lock(&self.open);",
                "        let relay = lock(&self.open).relay.take();\n        relay.into_iter().for_each(wake_caught);\n        \
                 let relay = {\n            let mut open = lock(&self.open);",
            ),
            ("exchange", "            open.relay.take()\n        };", "            None::<Waker>\n        };"),
        ],
    ),
    // An entry that comes between the check and the registration of the waker is missed.
    (
        "register_in_a_second_step",
        &[
            ("exchange", "            if next.is_pending() {\n", "            if false {\n"),
            (
                "exchange",
                "        let _ = drop_caught(reader);\n",
                "        if next.is_pending() {\n            lock(outlet).reader = reader;\n        }\n",
            ),
        ],
    ),
    // Open events are shared after an event that was published later.
    (
        "sharers_overtake",
        &[(
            "exchange",
            "        let mut streams = lock(&self.streams);\n        drop(open);\n",
            "        drop(open);\n        let mut streams = lock(&self.streams);\n",
        )],
    ),
    // Events from before the end are in the lanes only if the relay has run.
    (
        "close_without_sharing",
        &[(
            "exchange",
            "        self.share_and(|open| open.closed = true, |lane, ()| lane.closed = true, |_, ()| ());\n",
            "        lock(&self.open).closed = true;\n        for outlet in &self.workers {\n            \
             lock(outlet).closed = true;\n            let reader = lock(outlet).reader.take();\n            \
             reader.into_iter().for_each(wake_caught);\n        }\n",
        )],
    ),
    // Two starters see the same free duty before one has taken it.
    (
        "claim_in_two_steps",
        &[(
            "crew",
            "!self.duties[*duty].swap(true, Ordering::AcqRel)",
            "!self.duties[*duty].load(Ordering::Acquire) && {\n            \
             self.duties[*duty].store(true, Ordering::Release);\n            true\n        }",
        )],
    ),
    // A worker that dies loses the batch that it holds.
    ("batch_dies_too", &[("duty", "let rest = exchange.lane(lane).put_back(batch);", "let rest = (lane, batch);")]),
    // A duty is released while its last holder still has a batch.
    (
        "place_left_too_early",
        &[
            (
                "duty",
                "        let exchange = self.host.as_ref();\n        if let (Some(lane)",
                "        let exchange = self.host.as_ref();\n        exchange.crew.leave(self.index);\n        \
             if let (Some(lane)",
            ),
            ("duty", "        }\n        exchange.crew.leave(self.index);\n", "        }\n"),
        ],
    ),
    // A flush that begins after the worker's check for it is missed.
    (
        "flush_looked_for_too_early",
        &[
            (
                "exchange",
                "        let (next, awaited) = self.change(outlet",
                "        let early = self.change(outlet, |lane| std::mem::take(&mut lane.awaited));\n        \
                 let (next, _) = self.change(outlet",
            ),
            ("exchange", "        if awaited {\n", "        if early {\n"),
        ],
    ),
    // An attempt that yields misses that there is room again.
    (
        "no_second_look_for_room",
        &[("exchange", "if self.is_congested() { Poll::Pending } else { Poll::Ready(()) }", "Poll::Pending")],
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let events = Path::new("../taskvisor/src/events");
    println!("cargo::rerun-if-changed={}", events.display());
    println!("cargo::rerun-if-changed=src/bus_model.rs");
    let mut out = String::new();
    for (name, replacements) in MUTANTS {
        writeln!(out, "pub mod {name} {{\n    pub use crate::events::{{Event, EventKind}};")?;
        for file in FILES {
            let mut text = fs::read_to_string(events.join(file).with_extension("rs"))?;
            for (_, from, to) in replacements.iter().filter(|(of, ..)| *of == file) {
                if text.matches(from).count() != 1 {
                    return Err(format!("{name}: {file}.rs has not one place that reads\n{from}").into());
                }
                text = text.replace(from, to);
            }
            // The tests of the file are left out.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            writeln!(out, "pub(crate) mod {file} {{\n{text}\n}}")?;
        }
        writeln!(out, "pub mod model {{\n{}\n}}\n}}", fs::read_to_string("src/bus_model.rs")?)?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("mutants.rs"), out)?;
    Ok(())
}
