//! O42: the phase of periodic tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskvisor::{
    BackoffPolicy, EventKind, JitterPolicy, RestartPolicy, RuntimeError, Supervisor, SupervisorConfig, TaskContext,
    TaskError, TaskFn, TaskSpec,
};
use tests::{ALWAYS, Recorder, secs};
use tokio::time::{Instant, sleep, sleep_until};

type Result = std::result::Result<(), RuntimeError>;

/// The times at which attempts begin, by task.
#[derive(Clone)]
struct Begun(Arc<Mutex<BTreeMap<String, Vec<Duration>>>>, Instant);

impl Begun {
    fn new() -> Self {
        Self(Arc::default(), Instant::now())
    }

    fn spec(&self, name: &str) -> TaskSpec {
        let begun = self.clone();
        let task = TaskFn::arc(name, move |ctx: TaskContext| {
            let at = begun.1.elapsed();
            begun.0.lock().unwrap().entry(ctx.path().to_owned()).or_default().push(at);
            async { Ok(()) }
        });
        TaskSpec::inherit(task).with_restart(ALWAYS)
    }

    fn take(&self) -> BTreeMap<String, Vec<Duration>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn supervisor(instance: &str) -> Arc<Supervisor> {
    let config = SupervisorConfig { instance: Some(instance.to_owned()), ..SupervisorConfig::default() };
    Supervisor::new(config, vec![])
}

#[tokio::test(start_paused = true)]
async fn o42_equal_periods_are_shifted_by_path_and_instance_and_stay_so() -> Result {
    let mut firsts = Vec::new();
    for instance in ["one", "two", "one"] {
        let (supervisor, begun) = (supervisor(instance), Begun::new());
        for n in 0..100 {
            let spec = begun.spec(&format!("poll-{n}")).with_every(secs(60)).with_splay(secs(10));
            supervisor.add_task(spec).await?;
        }
        sleep(secs(600)).await;
        let begun = begun.take();
        for times in begun.values() {
            assert!(times[0] < secs(10));
            let steps: Vec<_> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
            assert!(steps.iter().all(|step| step.abs_diff(secs(60)) <= Duration::from_millis(2)), "{steps:?}");
        }
        firsts.push(begun.values().map(|times| times[0].as_millis()).collect::<Vec<_>>());
        supervisor.shutdown().await?;
    }
    assert_eq!(firsts[0], firsts[2], "the same in each run");
    assert_ne!(firsts[0], firsts[1], "another instance is shifted in another way");
    let mut distinct = firsts[0].clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() > 90, "{}", distinct.len());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o42_an_interval_is_shifted_after_the_initial_delay() -> Result {
    let (supervisor, begun) = (supervisor("one"), Begun::new());
    let every_minute = RestartPolicy::Always { interval: Some(secs(60)) };
    let spec = begun.spec("a").with_restart(every_minute).with_initial_delay(secs(100)).with_splay(secs(50));
    let task = supervisor.add_task(spec).await?;
    sleep(secs(300)).await;
    let first = begun.take()["a"][0];
    assert!((secs(100)..secs(150)).contains(&first), "{first:?}");
    // A start by hand does not wait for it.
    assert!(task.restart());
    sleep(Duration::from_millis(1)).await;
    assert_eq!(begun.take()["a"].len(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn o42_a_splay_without_a_period_is_refused() {
    let (supervisor, begun) = (supervisor("one"), Begun::new());
    for restart in [ALWAYS, RestartPolicy::OnFailure, RestartPolicy::Always { interval: Some(Duration::ZERO) }] {
        let spec = begun.spec("a").with_restart(restart).with_splay(secs(5));
        let error = supervisor.add_task(spec).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "task `a`: `splay` is 5s, expected a period, an interval or a schedule beside it"
        );
    }
}

/// As by an override of `every` alone.
#[tokio::test(start_paused = true)]
async fn o42_a_splay_that_is_longer_than_the_period_is_warned_of() -> Result {
    let recorder = Recorder::new();
    let config = SupervisorConfig { instance: Some("one".to_owned()), ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![Arc::<Recorder>::clone(&recorder)]);
    let begun = Begun::new();
    for (name, splay) in [("a", secs(600)), ("b", secs(1)), ("c", Duration::ZERO)] {
        supervisor.add_task(begun.spec(name).with_every(secs(1)).with_splay(splay)).await?;
    }
    let every_second = RestartPolicy::Always { interval: Some(secs(1)) };
    supervisor.add_task(begun.spec("d").with_restart(every_second).with_splay(secs(600))).await?;
    sleep(secs(600)).await;
    let warnings = recorder.seen().into_iter().filter(|seen| seen.kind == EventKind::Warning);
    let told: Vec<_> = warnings.map(|seen| (seen.task.unwrap(), seen.reason.unwrap())).collect();
    let [(task, reason)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(&**task, "a");
    assert!(reason.starts_with("its `splay` of 10m is longer than its period of 1s: "), "{reason}");
    Ok(())
}

/// Tasks that fail at one instant come back spread if their backoff has jitter.
#[tokio::test(start_paused = true)]
async fn o42_a_thousand_tasks_that_fail_at_one_instant_come_back_spread() -> Result {
    let start = Instant::now();
    let down_at = start + secs(60);
    for (jitter, most) in [(JitterPolicy::None, 1_000), (JitterPolicy::Equal, 60)] {
        let supervisor = supervisor("one");
        let back = Arc::new(Mutex::new(BTreeMap::<u128, usize>::new()));
        for n in 0..1_000 {
            let back = Arc::clone(&back);
            let task = TaskFn::arc(format!("peer-{n}"), move |ctx: TaskContext| {
                let back = Arc::clone(&back);
                async move {
                    if ctx.attempt() == 1 {
                        sleep_until(down_at.max(Instant::now())).await;
                        return Err(TaskError::Fail { reason: "the peer is down".into() });
                    }
                    *back.lock().unwrap().entry(start.elapsed().as_millis() / 100).or_default() += 1;
                    Ok(())
                }
            });
            let backoff = BackoffPolicy { first: secs(10), max: secs(60), factor: 2.0, jitter };
            supervisor.add_task(TaskSpec::inherit(task).with_backoff(backoff)).await?;
        }
        sleep(secs(300)).await;
        let back = back.lock().unwrap().clone();
        assert_eq!(back.values().sum::<usize>(), 1_000);
        let at_once = *back.values().max().unwrap();
        if jitter == JitterPolicy::None {
            assert_eq!(at_once, most);
        } else {
            assert!(at_once <= most, "{at_once} in a tenth of a second");
        }
        supervisor.shutdown().await?;
    }
    Ok(())
}
