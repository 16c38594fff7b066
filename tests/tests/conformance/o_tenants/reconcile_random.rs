//! O22: random lists against a model of names and revisions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use taskvisor::{Group, RuntimeError, SupervisorConfig, TaskContext, TaskFn, TaskSpec, Tree};

type Result = std::result::Result<(), RuntimeError>;

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The names with their revisions, and the attempts that run, by name.
#[derive(Clone, Default)]
struct World {
    running: Arc<Mutex<BTreeMap<&'static str, Vec<u32>>>>,
    twice: Arc<AtomicUsize>,
}

struct Runs(World, &'static str, u32);

impl Drop for Runs {
    fn drop(&mut self) {
        let mut running = self.0.running.lock().unwrap();
        let revisions = running.get_mut(self.1).unwrap();
        revisions.retain(|revision| *revision != self.2);
    }
}

impl World {
    fn spec(&self, name: &'static str, revision: u32, stops_slowly: bool) -> TaskSpec {
        let world = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let world = world.clone();
            async move {
                {
                    let mut running = world.running.lock().unwrap();
                    let revisions = running.entry(name).or_default();
                    revisions.push(revision);
                    world.twice.fetch_add(revisions.len() - 1, Ordering::SeqCst);
                }
                let _runs = Runs(world.clone(), name, revision);
                ctx.cancelled().await;
                for _ in 0..if stops_slowly { 5 } else { 0 } {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
        });
        TaskSpec::inherit(task).with_revision(revision)
    }
}

#[expect(clippy::too_many_lines, reason = "one story")]
async fn story(seed: u64) -> Result {
    let mut random = Rng::with_seed(seed);
    let group = [Group::one_for_one, Group::one_for_all, Group::rest_for_one][random.usize(0..3)]("g");
    let own = TaskFn::arc("own", |ctx: TaskContext| async move {
        ctx.cancelled().await;
        Ok(())
    });
    let tree = Tree::builder(SupervisorConfig::default()).group(group.task(TaskSpec::inherit(own))).build();
    tree.start().await?;
    let (world, group) = (World::default(), tree.group("g"));
    let mut model: BTreeMap<&'static str, u32> = BTreeMap::new();
    for _ in 0..random.u32(1..12) {
        let mut list = BTreeMap::new();
        for name in NAMES {
            if random.u8(0..10) < 6 {
                list.insert(name, random.u32(0..3));
            }
        }
        let mut specs: Vec<_> =
            list.iter().map(|(name, revision)| world.spec(name, *revision, random.bool())).collect();
        match random.u32(0..6) {
            // A list with a mistake changes nothing.
            0 => {
                let wrong = ["own", "", "x/y", "a"][random.usize(0..4)];
                specs.push(world.spec(wrong, 9, false));
                if wrong == "a" && !list.contains_key("a") {
                    specs.push(world.spec("a", 8, false));
                }
                assert!(group.reconcile(specs).await.is_err());
            }
            // A canceled task is added again by the next list.
            1 => {
                let name = NAMES[random.usize(0..NAMES.len())];
                let current = tree.supervisor().task(&format!("g/{name}"));
                if let Some(task) = current {
                    task.cancel().await?;
                }
                model.remove(name);
            }
            // One alone.
            2 => {
                let (name, revision) = (NAMES[random.usize(0..NAMES.len())], random.u32(0..3));
                group.replace(world.spec(name, revision, random.bool())).await?;
                model.insert(name, revision);
            }
            // Two at once: the later stands.
            3 => {
                let first = NAMES.map(|name| world.spec(name, random.u32(0..3), random.bool()));
                let (first, second) = tokio::join!(group.reconcile(first), group.reconcile(specs));
                first?;
                second?;
                model = list;
            }
            _ => {
                let done = group.reconcile(specs).await?;
                let sorted = |names: Vec<&'static str>| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
                let of = |tasks: &[taskvisor::TaskHandle]| {
                    let mut names: Vec<_> = tasks.iter().map(|task| task.name().to_owned()).collect();
                    names.sort_unstable();
                    names
                };
                let before = |name: &&'static str| model.get(name).copied();
                let both = |equal: bool| {
                    let both =
                        list.iter().filter(|(name, new)| before(name).is_some_and(|old| (old == **new) == equal));
                    sorted(both.map(|(name, _)| *name).collect())
                };
                assert_eq!(of(&done.kept), both(true));
                assert_eq!(of(&done.replaced), both(false));
                assert_eq!(
                    of(&done.added),
                    sorted(list.keys().filter(|name| before(name).is_none()).copied().collect())
                );
                let gone = model.keys().filter(|name| !list.contains_key(*name)).copied().collect();
                assert_eq!(of(&done.removed), sorted(gone));
                model = list;
            }
        }
        let registered: Vec<_> =
            tree.supervisor().list_tasks().await.into_iter().filter(|path| path != "g/own").collect();
        assert_eq!(registered, model.keys().map(|name| format!("g/{name}")).collect::<Vec<_>>());
        for (name, revision) in &model {
            let spec = tree.supervisor().task(&format!("g/{name}")).unwrap().spec();
            assert_eq!(spec.revision(), world.spec(name, *revision, false).revision(), "{name}");
        }
        for _ in 0..random.u32(0..20) {
            tokio::task::yield_now().await;
        }
    }
    // The shutdown comes at any time during the last list.
    let last = NAMES.map(|name| world.spec(name, random.u32(3..6), random.bool()));
    let yields = random.u32(0..10);
    let down = async {
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        tree.shutdown().await
    };
    let (last, down) = tokio::join!(group.reconcile(last), down);
    assert!(last.is_ok() || yields == 0, "{last:?}");
    down?;
    assert!(tree.supervisor().list_tasks().await.is_empty());
    assert_eq!(world.twice.load(Ordering::SeqCst), 0, "two attempts of one name at a time");
    assert!(world.running.lock().unwrap().values().all(Vec::is_empty));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o22_random_lists_on_one_thread() {
    for seed in 0..3_000 {
        story(seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o22_random_lists_on_two_threads() {
    for seed in 0..3_000 {
        story(seed).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
