//! The declaration of a random tree.

use std::time::Duration;

use taskvisor::{
    AdmissionPolicy, BackoffPolicy, Group, JitterPolicy, RestartPolicy, SlotSpec, Strategy, TaskSpec, TreeBuilder,
};

use crate::checker::Known;
use crate::world::{ms, task};

/// One slot is plain, one has two places, one is debounced, the keys of one share two places, one starts two jobs per
/// time, and the tree can be after one.
pub(crate) const SLOTS: [&str; 6] = ["plain", "wide", "late", "keyed", "paced", "near"];

pub(crate) fn backoff(random: &mut fastrand::Rng) -> BackoffPolicy {
    let first = if random.bool() { Duration::ZERO } else { Duration::from_micros(100) };
    BackoffPolicy { first, max: ms(1), factor: 1.0, jitter: JitterPolicy::None }
}

/// Which singletons are allowed at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Singletons {
    None,
    Groups,
    All,
}

pub(crate) fn declare(
    mut tree: TreeBuilder,
    random: &mut fastrand::Rng,
    has_fleet: bool,
    known: &mut Known,
) -> TreeBuilder {
    let strategy = strategy(random);
    let is_plain = random.u8(..3) == 0;
    if !is_plain {
        tree = tree.with_strategy(strategy);
    }
    let is_ordered = !is_plain && strategy == Strategy::RestForOne;
    let singletons = match (has_fleet, is_ordered) {
        (false, _) => Singletons::None,
        (true, true) => Singletons::Groups,
        (true, false) => Singletons::All,
    };
    let relies = random.bool();
    for (place, spec) in children(random, "", singletons, known).into_iter().enumerate() {
        tree = tree.task(if relies && place == 0 { spec.with_after(["near"]) } else { spec });
    }
    let inner = if singletons == Singletons::Groups { Singletons::None } else { singletons };
    for place in 0..random.usize(..3) {
        tree = tree.group(group(random, &format!("g{place}"), "", inner, 1, known));
    }
    for name in SLOTS {
        let slot = SlotSpec::new(name).with_capacity(3);
        tree = tree.with_slot(match name {
            "wide" => slot.with_concurrency(2),
            "late" => slot.with_admission(AdmissionPolicy::Latest).with_debounce(ms(1)),
            "keyed" => slot.with_keys().with_max_concurrent(2),
            "paced" => slot.with_rate(2, ms(1)).with_concurrency(2),
            _ => slot,
        });
    }
    tree
}

fn strategy(random: &mut fastrand::Rng) -> Strategy {
    match random.u8(..3) {
        0 => Strategy::OneForOne,
        1 => Strategy::OneForAll,
        _ => Strategy::RestForOne,
    }
}

fn children(random: &mut fastrand::Rng, above: &str, singletons: Singletons, known: &mut Known) -> Vec<TaskSpec> {
    let mut specs = Vec::new();
    for place in 0..random.usize(1..4) {
        let name = format!("t{place}");
        let path = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        let mut spec = task(random, &name);
        if singletons == Singletons::All && random.u8(..3) == 0 {
            spec = spec.with_singleton();
            known.singletons.insert(path.clone());
        } else if !above.is_empty() && random.u8(..6) == 0 {
            spec = spec.critical();
        }
        known.tasks.insert(path);
        specs.push(spec);
    }
    specs
}

fn group(
    random: &mut fastrand::Rng,
    name: &str,
    above: &str,
    singletons: Singletons,
    depth: u8,
    known: &mut Known,
) -> Group {
    let path = if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
    known.groups.insert(path.clone());
    let strategy = strategy(random);
    let mut group = Group::new(name, strategy).with_limit(random.u32(..20), Duration::from_secs(1));
    group = group.with_backoff(backoff(random));
    if random.u8(..4) > 0 {
        group = group.not_critical();
    }
    if random.u8(..16) == 0 {
        group = group.with_paused(true);
    }
    match random.u8(..4) {
        0 => group = group.with_restart(RestartPolicy::Never),
        1 => group = group.with_restart(RestartPolicy::Always { interval: Some(ms(1)) }),
        _ => {}
    }
    let mut inner = if strategy == Strategy::RestForOne { Singletons::None } else { singletons };
    if singletons == Singletons::All && random.u8(..2) == 0 {
        group = group.with_singleton();
        known.singletons.insert(path.clone());
        inner = Singletons::None;
    }
    for spec in children(random, &path, inner, known) {
        group = group.task(spec);
    }
    if depth > 0 {
        for place in 0..random.usize(..3) {
            let nested = self::group(random, &format!("g{place}"), &path, inner, depth - 1, known);
            group = group.group(nested);
        }
    }
    group
}
