//! Subscribers, streams, and the times of events.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::SystemTime;

use taskvisor::{Event, EventKind, RuntimeError, Subscribe, Supervisor, SupervisorConfig, SupervisorHandle, TaskSpec};
use tests::{OK, Recorder, Script, cooperative, recorded, secs, settle, supervisor};
use tokio::time::{Instant, sleep};

type Result = std::result::Result<(), RuntimeError>;

fn done(name: &str) -> TaskSpec {
    Script::new([OK]).spec(name)
}

/// A subscriber whose methods or drop panic.
struct Rude {
    over_name: bool,
    over_capacity: bool,
    over_drop: bool,
}

#[async_trait::async_trait]
impl Subscribe for Rude {
    async fn on_event(&self, _: &Event) {}

    fn name(&self) -> &'static str {
        assert!(!self.over_name, "name");
        "rude"
    }

    fn queue_capacity(&self) -> usize {
        assert!(!self.over_capacity, "capacity");
        16
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        assert!(!self.over_drop, "dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn k4b_a_subscriber_that_panics_over_its_name_or_capacity_is_refused() {
    for (over_name, over_capacity, told) in
        [(true, false, "subscriber `subscriber`"), (false, true, "subscriber `rude`")]
    {
        let rude = Arc::new(Rude { over_name, over_capacity, over_drop: false });
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![rude]);
        let error = supervisor.add_task(done("x")).await.unwrap_err();
        assert!(error.to_string().starts_with(told), "{error}");
        assert!(error.to_string().contains("a panic"), "{error}");
    }
}

/// A waker that panics when woken, and counts its wake-ups.
#[derive(Default)]
struct Bomb(AtomicUsize);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("a waker");
    }
}

#[tokio::test(start_paused = true)]
async fn k5q_a_waker_that_panics_stops_neither_a_start_nor_a_shutdown() -> Result {
    let (supervisor, recorder) = recorded();
    let bomb = Arc::new(Bomb::default());
    let waker = Waker::from(bomb.clone());
    // given a wait for readiness, a read of a stream, and a wait for the shutdown
    let mut ready = pin!(supervisor.wait_ready());
    let mut stream = supervisor.events();
    let mut next = pin!(stream.next());
    let mut context = Context::from_waker(&waker);
    assert!(ready.as_mut().poll(&mut context).is_pending());
    assert!(next.as_mut().poll(&mut context).is_pending());
    // when
    let handle = supervisor.handle();
    let run = tokio::spawn({
        let supervisor = Arc::clone(&supervisor);
        async move { supervisor.run(vec![cooperative("x")]).await }
    });
    settle().await;
    let mut verdict = pin!(handle.shutdown());
    assert!(verdict.as_mut().poll(&mut context).is_pending());
    // then all of them proceed
    assert!(handle.shutdown().await.is_ok());
    assert!(run.await.unwrap().is_ok());
    assert!(bomb.0.load(Ordering::Relaxed) >= 3);
    assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}

/// Records overlapping calls and the events it received.
#[derive(Default)]
struct Single {
    busy: AtomicBool,
    overlaps: AtomicUsize,
    seqs: Mutex<Vec<u64>>,
}

#[async_trait::async_trait]
impl Subscribe for Single {
    async fn on_event(&self, event: &Event) {
        if self.busy.swap(true, Ordering::SeqCst) {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        let _busy = Busy(&self.busy);
        tokio::task::yield_now().await;
        self.seqs.lock().unwrap().push(event.seq);
    }
}

/// Marks the subscriber as busy until dropped, even in the middle of an event.
struct Busy<'a>(&'a AtomicBool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn k5i_a_stream_that_is_asked_for_after_the_end_starts_no_second_worker() -> Result {
    let single = Arc::new(Single::default());
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![single.clone()]);
    for number in 0..20 {
        supervisor.add_task(done(&number.to_string())).await?;
    }
    let verdict = supervisor.shutdown();
    let mut late = supervisor.events();
    verdict.await?;
    let mut later = supervisor.events();
    settle().await;
    assert!(later.next().await.is_none());
    while late.next().await.is_some() {}
    assert_eq!(single.overlaps.load(Ordering::SeqCst), 0);
    assert!(single.seqs.lock().unwrap().is_sorted());
    Ok(())
}

#[test]
fn k5q_those_who_deliver_are_replaced_when_their_runtime_is_gone_and_never_doubled() {
    let single = Arc::new(Single::default());
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![single.clone()]);
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            for number in 0..10 {
                let handle = supervisor.add_task(done(&number.to_string())).await.unwrap();
                handle.outcome().await;
            }
        });
        runtime.shutdown_background();
    }
    assert_eq!(single.overlaps.load(Ordering::SeqCst), 0);
    assert!(single.seqs.lock().unwrap().is_sorted());
}

#[tokio::test(start_paused = true)]
async fn k5i_a_stream_tells_of_a_loss_where_it_was() -> Result {
    let supervisor = supervisor();
    let mut stream = supervisor.events().with_capacity(4);
    let mut told = Vec::new();
    let mut add = 0;
    // given a stream that falls behind and reads only a part before more events are published
    for _ in 0..3 {
        for _ in 0..8 {
            add += 1;
            supervisor.add_task(done(&add.to_string())).await?;
            settle().await;
        }
        if let Some(Ok(event)) = stream.next().await {
            told.push(Ok(event.seq));
        }
    }
    supervisor.shutdown().await?;
    while let Some(next) = stream.next().await {
        told.push(next.map(|event| event.seq).map_err(|lagged| lagged.count));
    }
    // then each gap is reported, with its size, between the events on its two sides
    assert!(told.iter().filter(|next| next.is_err()).count() >= 2, "{told:?}");
    let mut expected = 1;
    for next in &told {
        match next {
            Ok(seq) => {
                assert_eq!(*seq, expected, "{told:?}");
                expected += 1;
            }
            Err(lost) => expected += lost,
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k5j_the_time_of_an_event_advances_with_paused_time() -> Result {
    #[derive(Default)]
    struct Times(Mutex<Vec<(EventKind, SystemTime)>>);
    #[async_trait::async_trait]
    impl Subscribe for Times {
        async fn on_event(&self, event: &Event) {
            self.0.lock().unwrap().push((event.kind, event.at));
        }
    }
    let times = Arc::new(Times::default());
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![times.clone()]);
    let script = Script::new([tests::Step::Succeed(secs(60))]);
    supervisor.add_task(script.spec("x")).await?.outcome().await;
    settle().await;
    let times = times.0.lock().unwrap();
    let at = |kind| times.iter().find(|(other, _)| *other == kind).unwrap().1;
    let lived = at(EventKind::TaskStopped).duration_since(at(EventKind::TaskStarting)).unwrap();
    assert_eq!(lived, secs(60));
    Ok(())
}

/// Awaits the shutdown of its own supervisor while it handles an event.
#[derive(Default)]
struct Waits {
    supervisor: OnceLock<SupervisorHandle>,
    answer: Mutex<Option<std::result::Result<(), RuntimeError>>>,
}

#[async_trait::async_trait]
impl Subscribe for Waits {
    async fn on_event(&self, event: &Event) {
        if event.kind == EventKind::TaskStarting {
            let answer = self.supervisor.get().unwrap().shutdown().await;
            *self.answer.lock().unwrap() = Some(answer);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k3a_a_subscriber_that_waits_for_the_shutdown_gets_an_answer_at_once() -> Result {
    let waits = Arc::new(Waits::default());
    let recorder = Recorder::new();
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![waits.clone(), recorder.clone()]);
    let _ = waits.supervisor.set(supervisor.handle());
    let start = Instant::now();
    supervisor.run(vec![cooperative("x")]).await?;
    assert_eq!(start.elapsed(), secs(0));
    assert!(matches!(*waits.answer.lock().unwrap(), Some(Err(RuntimeError::ShuttingDown))));
    sleep(secs(1)).await;
    Ok(())
}
