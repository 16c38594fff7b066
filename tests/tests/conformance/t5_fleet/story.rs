//! Random stories of three replicas with tasks and groups under leases, on paused time. `FLEET_SEED` and `FLEET_SEEDS` say
//! which ones.

use taskvisor::fleet::{FencingToken, LocalStore};
use taskvisor::{Group, TaskContext, TaskFn, TaskSpec};
use tokio::time::sleep;

use super::{Log, Result, replica, secs, serve};

const KEYS: [&str; 8] = ["solo", "moody", "all/s", "rest/s", "feeds/a", "feeds/inner/b", "left", "right"];
/// The last two share a key.
const WHAT: [&str; 8] = ["solo", "moody", "s", "r", "a", "b", "pair", "pair"];

#[tokio::test(start_paused = true)]
async fn t5_no_story_lets_two_run_or_none() -> Result {
    let seeds: u64 = std::env::var("FLEET_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(30);
    let first: u64 = std::env::var("FLEET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    for seed in first..first + seeds {
        story(seed).await?;
    }
    Ok(())
}

/// A task that fails or ends now and then.
fn moody(log: &Log, replica: usize, name: &'static str, seed: u64) -> TaskSpec {
    let (log, random) = (log.clone(), std::sync::Mutex::new(fastrand::Rng::with_seed(seed)));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let log = log.clone();
        let (lasts, fails) = {
            let mut random = random.lock().unwrap();
            (secs(random.f64() * 40.0), random.bool())
        };
        async move {
            let _running = log.begin(replica, name, ctx.fencing_token().or(Some(FencingToken::from_number(1))));
            if ctx.run_until_cancelled(sleep(lasts)).await.is_some() && fails {
                return Err(taskvisor::TaskError::Fail { reason: "mood".into() });
            }
            Ok(())
        }
    });
    TaskSpec::inherit(task).with_restart(taskvisor::RestartPolicy::Always { interval: Some(secs(2.0)) })
}

async fn story(seed: u64) -> Result {
    let mut random = fastrand::Rng::with_seed(seed);
    let (log, store) = (Log::new(), LocalStore::new());
    let make = |n: usize, seed: u64| {
        let log = log.clone();
        move |tree: taskvisor::TreeBuilder| {
            let named = |name, spec: TaskSpec| spec.with_name(name);
            let all = Group::one_for_all("all")
                .task(named("s", moody(&log, n, "s", seed)).with_singleton())
                .task(moody(&log, n, "p", seed ^ 1));
            let rest = Group::rest_for_one("rest")
                .task(moody(&log, n, "q", seed ^ 2))
                .task(named("s", moody(&log, n, "r", seed ^ 3)).with_singleton());
            let feeds = Group::one_for_all("feeds")
                .with_singleton()
                .task(serve(&log, n, "a"))
                .task(moody(&log, n, "c", seed ^ 5).with_after(["a"]))
                .group(Group::one_for_one("inner").task(moody(&log, n, "b", seed ^ 4)));
            tree.task(serve(&log, n, "solo").with_singleton())
                .task(moody(&log, n, "moody", seed).with_singleton())
                .task(named("left", serve(&log, n, "pair")).with_singleton_key("pair"))
                .task(named("right", moody(&log, n, "pair", seed ^ 6)).with_singleton_key("pair"))
                .group(all)
                .group(rest)
                .group(feeds)
        }
    };
    let mut replicas = Vec::new();
    for n in 0..3 {
        replicas.push(replica(&store, n, make(n, random.u64(..))).await?);
    }
    let mut number = 3;
    for _ in 0..60 {
        sleep(secs(random.f64() * random.f64() * 20.0)).await;
        let place = random.usize(..3);
        let it = &replicas[place];
        let path = KEYS[random.usize(..KEYS.len())];
        let (child, group) = (it.tree.child(path), it.tree.group(["feeds", "all", "rest"][random.usize(..3)]));
        match random.u32(..14) {
            0 => it.net.cut(true),
            1 => it.net.mute(true),
            2 | 3 => {
                it.net.cut(false);
                it.net.mute(false);
            }
            4 => drop(child.pause()),
            5 => drop(child.pause_and_stop()),
            6 => drop(child.resume()),
            7 => drop(child.restart()),
            8 => drop(child.trigger()),
            9 => drop(child.current().map(|task| task.resign())),
            10 => drop(group.pause()),
            11 => drop(group.restart()),
            12 => drop(group.resume()),
            _ => {
                it.net.cut(false);
                it.net.mute(false);
                if random.bool() {
                    it.tree.shutdown().await?;
                }
                replicas[place] = replica(&store, number, make(number, random.u64(..))).await?;
                number += 1;
            }
        }
    }
    for it in &replicas {
        it.net.cut(false);
        it.net.mute(false);
        for group in ["feeds", "all", "rest"] {
            it.tree.group(group).resume();
        }
        for path in KEYS {
            it.tree.child(path).resume();
        }
    }
    sleep(secs(90.0)).await;
    let mut ran = [false; 8];
    for _ in 0..200 {
        for (what, has_run) in WHAT.iter().zip(&mut ran) {
            let owners = log.owners(what);
            assert!(owners.len() <= 1, "seed {seed}: {what} runs in {owners:?}");
            *has_run |= !owners.is_empty();
        }
        sleep(secs(0.5)).await;
    }
    assert_eq!(ran, [true; 8], "seed {seed}: {WHAT:?}");
    for it in &replicas {
        it.tree.shutdown().await?;
    }
    check(seed, &log);
    Ok(())
}

/// All runs have ended, and no two of one key overlap.
fn check(seed: u64, log: &Log) {
    for what in WHAT {
        assert!(log.owners(what).is_empty(), "seed {seed}");
    }
    let runs = log.runs();
    for (n, run) in runs.iter().enumerate() {
        for later in runs[n + 1..].iter().filter(|later| later.what == run.what && WHAT.contains(&run.what)) {
            assert!(run.to.is_some_and(|to| later.from >= to), "seed {seed}: {later:?} overlaps with {run:?}");
            assert!(later.token >= run.token, "seed {seed}: {later:?} after {run:?}");
        }
    }
}
