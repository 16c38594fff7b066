//! Limits under load: no limit is exceeded, no attempt waits for ever, and every permit comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use taskvisor::{Group, RuntimeError, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskSpec, Tree};
use tests::{constant, ms};
use tokio::time::{sleep, timeout};

const LIMITS: [(&str, usize); 3] = [("db", 2), ("cpu", 1), ("net", 3)];

/// The number of attempts that run by each limit, and the largest allowed number.
#[derive(Default)]
struct Counts {
    running: [AtomicUsize; LIMITS.len()],
    in_group: [AtomicUsize; 2],
}

struct Inside<'a>(Vec<&'a AtomicUsize>);

impl<'a> Inside<'a> {
    fn enter(counted: impl Iterator<Item = (&'a AtomicUsize, usize)>) -> Self {
        let mut inside = Self(Vec::new());
        for (count, most) in counted {
            inside.0.push(count);
            assert!(count.fetch_add(1, Ordering::SeqCst) < most, "a limit is exceeded");
        }
        inside
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        for count in &self.0 {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// A task that is in these groups and needs these limits. It runs some times, and ends in several ways.
fn task(
    name: &str,
    counts: &Arc<Counts>,
    groups: &[usize],
    limits: &[usize],
    seed: u64,
    done: &Arc<AtomicUsize>,
) -> TaskSpec {
    let (counts, groups, limits) = (Arc::clone(counts), groups.to_vec(), limits.to_vec());
    let (left, done) = (Arc::new(AtomicUsize::new(4)), Arc::clone(done));
    let task = TaskFn::arc(name, move |ctx: TaskContext| {
        let (counts, groups, limits, left, done) =
            (Arc::clone(&counts), groups.clone(), limits.clone(), Arc::clone(&left), Arc::clone(&done));
        async move {
            let of_groups = groups.iter().map(|group| (&counts.in_group[*group], [2, 1][*group]));
            let _inside =
                Inside::enter(limits.iter().map(|limit| (&counts.running[*limit], LIMITS[*limit].1)).chain(of_groups));
            let mut random = Rng::with_seed(seed.wrapping_add(left.load(Ordering::SeqCst) as u64));
            match random.u8(0..3) {
                0 => tokio::task::yield_now().await,
                1 => sleep(ms(random.u64(0..3))).await,
                _ => drop(ctx.run_until_cancelled(sleep(ms(1))).await),
            }
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                done.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            assert!(!random.bool(), "again");
            Err(TaskError::Fail { reason: "again".into() })
        }
    });
    TaskSpec::inherit(task).with_backoff(constant(Duration::ZERO))
}

async fn storm(seed: u64) -> Result<(), RuntimeError> {
    let mut random = Rng::with_seed(seed);
    let (counts, done) = (Arc::new(Counts::default()), Arc::new(AtomicUsize::new(0)));
    let config = SupervisorConfig { max_concurrent: random.usize(0..4), ..SupervisorConfig::default() };
    let mut tree =
        LIMITS.iter().fold(Tree::builder(config), |tree, (name, limit)| tree.with_named_limit(*name, *limit));
    let group_limit = random.usize(0..LIMITS.len());
    let mut outer = Group::one_for_one("outer").with_max_concurrent(2);
    let mut inner = Group::one_for_one("inner").with_max_concurrent(1).with_named_limit(LIMITS[group_limit].0);
    let tasks = random.usize(5..25);
    for number in 0..tasks {
        let own = random.bool().then(|| random.usize(0..LIMITS.len()));
        // A group without tasks would not end.
        let place = if number < 2 { 2 - u8::from(number > 0) } else { random.u8(0..3) };
        let mut limits: Vec<_> = own.into_iter().chain((place == 2).then_some(group_limit)).collect();
        limits.dedup();
        let groups: &[usize] = [&[][..], &[0], &[0, 1]][usize::from(place)];
        let mut spec = task(&format!("t{number}"), &counts, groups, &limits, random.u64(..), &done);
        if let Some(own) = own {
            spec = spec.with_named_limit(LIMITS[own].0);
        }
        match place {
            0 => tree = tree.task(spec),
            1 => outer = outer.task(spec),
            _ => inner = inner.task(spec),
        }
    }
    let tree = Arc::new(tree.group(outer.group(inner)).build());
    if random.bool() {
        let run = {
            let tree = Arc::clone(&tree);
            tokio::spawn(async move { tree.run().await })
        };
        match timeout(Duration::from_secs(60), run).await {
            Ok(result) => result.expect("it does not panic")?,
            Err(elapsed) => panic!("seed {seed}: an attempt waits for ever, {elapsed}\n{}", tree.snapshot()),
        }
        assert_eq!(done.load(Ordering::SeqCst), tasks, "seed {seed}");
    } else {
        // A shutdown, restarts and cancels in between.
        tree.start().await?;
        for _ in 0..random.usize(0..20) {
            let path = ["", "outer/", "outer/inner/"][random.usize(0..3)];
            let child = tree.child(&format!("{path}t{}", random.usize(0..tasks)));
            match random.u8(0..4) {
                0 => drop(child.restart()),
                1 => drop(child.cancel().await),
                2 => drop(tree.group("outer/inner").restart()),
                _ => tokio::task::yield_now().await,
            }
        }
        timeout(Duration::from_secs(60), tree.shutdown()).await.expect("the shutdown ends")?;
    }
    let left = counts.running.iter().chain(&counts.in_group).map(|count| count.load(Ordering::SeqCst)).sum::<usize>();
    assert_eq!(left, 0, "seed {seed}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o25_no_limit_is_exceeded_and_all_attempts_get_their_permits() -> Result<(), RuntimeError> {
    let seed = fastrand::u64(..1 << 48);
    println!("first seed: {seed}");
    for round in 0..150 {
        storm(seed + round).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o25_no_limit_is_exceeded_on_two_workers() -> Result<(), RuntimeError> {
    let seed = fastrand::u64(..1 << 48);
    println!("first seed: {seed}");
    for round in 0..60 {
        storm(seed + round).await?;
    }
    Ok(())
}
