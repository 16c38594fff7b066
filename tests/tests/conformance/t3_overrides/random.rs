//! Random overrides of random trees.

use std::collections::BTreeMap;

use fastrand::Rng;
use taskvisor::Schedule;

use super::*;

const NAMES: [&str; 8] = ["a", "b", "pool", "store", "a_b", "a.b", "limits", "Timeout"];

const TEXTS: [&str; 16] =
    ["1s", "1m30s", "0s", "5", "0", "2.5", "none", "true", "equal", "10/1m", "", " 1s", "10", "often", "skip", "UTC"];

/// A tree of up to three levels. Names among siblings differ.
fn random_builder(random: &mut Rng) -> TreeBuilder {
    let mut builder = Tree::builder(config()).with_named_limit("db", 2);
    for name in names(random) {
        builder = match random.u8(0..3) {
            0 => builder.task(random_task(random, name)),
            _ => builder.group(random_group(random, name, 2)),
        };
    }
    builder
}

fn names(random: &mut Rng) -> Vec<&'static str> {
    let count = random.usize(1..4);
    random.choose_multiple(NAMES, count)
}

fn random_group(random: &mut Rng, name: &str, levels: u32) -> Group {
    let mut group = Group::one_for_one(name);
    if random.bool() {
        group = group.with_limit(random.u32(0..9), Duration::from_secs(random.u64(1..90)));
    }
    for name in names(random) {
        group = match random.u8(0..3) {
            0 if levels > 0 => group.group(random_group(random, name, levels - 1)),
            _ => group.task(random_task(random, name)),
        };
    }
    group
}

fn random_task(random: &mut Rng, name: &str) -> TaskSpec {
    let task = endless(name);
    match random.u8(0..5) {
        0 => task.with_restart(ALWAYS).with_schedule(Schedule::cron("30 2 * * *")),
        1 => task.with_restart(ALWAYS).with_every(Duration::from_secs(5)),
        2 => task.with_timeout(Duration::from_secs(7)),
        3 => task.with_limit(3, Duration::from_secs(60)),
        _ => task,
    }
}

fn values(tree: &Tree) -> BTreeMap<String, String> {
    tree.settings().iter().map(|setting| (setting.key().to_owned(), setting.value().to_owned())).collect()
}

#[test]
fn t3_overrides_are_refused_with_their_origin_or_have_their_values() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..800 {
        let make = || random_builder(&mut Rng::with_seed(seed));
        let mut random = Rng::with_seed(seed ^ 0xabc);
        let keys: Vec<_> = values(&make().build()).into_keys().collect();
        let given: BTreeMap<_, _> = (0..random.usize(1..3))
            .map(|_| (keys[random.usize(..keys.len())].clone(), TEXTS[random.usize(..TEXTS.len())]))
            .collect();
        match make().with_overrides(given.clone().into_iter().collect::<Overrides>()).try_build() {
            Ok(tree) => {
                accepted += 1;
                let after = values(&tree);
                for (key, text) in &given {
                    // The parts of a limit hide the whole.
                    let is_shown = after.get(key).is_some_and(|shown| shown == text);
                    assert!(is_shown || key.contains(".limit"), "{seed}: {key}={text} in\n{:#}", tree.settings());
                }
                let settings = tree.settings();
                let mut overridden = settings.iter().filter(|setting| setting.origin().is_override());
                assert!(overridden.all(|it| given.contains_key(&it.origin().to_string())), "{seed}");
            }
            Err(RuntimeError::InvalidOverrides(invalid)) => {
                refused += 1;
                assert!(!invalid.is_empty() && invalid.len() <= given.len(), "{seed}: {invalid:?}");
                for invalid in invalid {
                    assert!(given.contains_key(&invalid.origin.to_string()), "{seed}: {invalid}");
                }
            }
            Err(error) => panic!("{seed}: {error}"),
        }
    }
    assert!(accepted > 50 && refused > 50, "{accepted} {refused}");
}

#[test]
fn t3_a_template_of_a_random_tree_changes_nothing() {
    for seed in 0..200 {
        let make = || random_builder(&mut Rng::with_seed(seed));
        let tree = make().build();
        let template = tree.settings().to_env("APP").replace("#APP_", "APP_");
        let lines = template.lines().filter(|line| line.starts_with("APP_"));
        let variables: Vec<_> = lines.filter_map(|line| line.split_once('=')).collect();
        assert!(variables.len() > 10);
        let again = make().with_overrides(Overrides::variables("APP", variables)).try_build();
        let again = again.unwrap_or_else(|error| panic!("{seed}: {error}\n{template}"));
        assert_eq!(values(&again), values(&tree), "{seed}");
    }
}
