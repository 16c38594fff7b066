//! Attempts that begin and end beside restarts, cancels and readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taskvisor::{AttemptOutcome, Event, EventKind, History, Subscribe, Supervisor, TaskOutcome};
use tests::{Recorder, Script, Step, constant, ms};

use super::config;

/// A history that is never behind.
struct Wide(History);

#[async_trait::async_trait]
impl Subscribe for Wide {
    async fn on_event(&self, event: &Event) {
        self.0.on_event(event).await;
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}

/// Tasks that fail, panic and end, while they are restarted and canceled and their history is read.
async fn storm(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (recorder, history) = (Recorder::new(), History::new().with_attempts(1 << 20));
    let supervisor = Supervisor::new(config(), vec![recorder.clone(), Arc::new(Wide(history.clone()))]);
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (history, is_over) = (history.clone(), Arc::clone(&is_over));
        async move {
            while !is_over.load(Ordering::SeqCst) {
                for path in &history {
                    assert!(path.attempts().all(|attempt| attempt.ended.is_none() || attempt.began <= attempt.ended));
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let mut handles = Vec::new();
    for name in 0..6 {
        let steps = [Step::Fail(ms(0)), Step::Panic(ms(0)), Step::Wait, Step::Fail(ms(1)), Step::Wait];
        let spec = Script::new(steps).spec(&name.to_string()).with_backoff(constant(ms(0)));
        handles.push(supervisor.add_task(spec).await.unwrap());
    }
    for _ in 0..200 {
        let handle = &handles[random.usize(..handles.len())];
        match random.u8(..8) {
            0..5 => drop(handle.restart()),
            5..7 => tokio::task::yield_now().await,
            _ if random.u8(..10) == 0 => drop(handle.cancel().await.unwrap()),
            _ => {}
        }
    }
    supervisor.shutdown().await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    assert!(history.gaps().is_empty());
    for (name, handle) in handles.iter().enumerate() {
        let (path, events) = (history.of(&name.to_string()), recorder.seen());
        let of = |kinds: &[EventKind]| {
            let ours = events.iter().filter(|seen| seen.id == Some(handle.id()) && kinds.contains(&seen.kind));
            ours.map(|seen| seen.attempt.unwrap()).collect::<Vec<_>>()
        };
        let kept: Vec<_> = path.attempts().map(|attempt| attempt.attempt).collect();
        assert_eq!(kept, of(&[EventKind::TaskStarting]), "seed {seed}");
        assert_eq!(kept, of(&[EventKind::TaskStopped, EventKind::TaskFailed]), "each has its end: seed {seed}");
        let open = [AttemptOutcome::Running, AttemptOutcome::Unknown];
        assert!(path.attempts().all(|it| !open.contains(&it.outcome) && it.began.is_some() && it.ended.is_some()));
        assert!(matches!(handle.try_outcome(), Some(TaskOutcome::Canceled { .. })));
    }
}

#[tokio::test]
async fn t4_each_attempt_has_one_record_on_one_thread() {
    for seed in 0..30 {
        storm(seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t4_each_attempt_has_one_record_on_two_threads() {
    for seed in 0..30 {
        storm(seed).await;
    }
}
