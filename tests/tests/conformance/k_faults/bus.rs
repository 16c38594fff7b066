//! The bus: wakers that panic, and runtimes that end with the relay and the workers.

use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use taskvisor::{
    Event, EventKind, EventStream, LogWriter, RuntimeError, Subscribe, Supervisor, SupervisorConfig, SupervisorHandle,
};
use tests::{FAIL, OK, Recorder, Script, constant, cooperative, ms, recorded, secs, settle, supervisor};
use tokio::runtime::{Builder, Runtime};

type Result = std::result::Result<(), RuntimeError>;

/// A waker that panics when woken, and when dropped if `drops` is set.
#[derive(Default)]
struct Bomb {
    woken: AtomicUsize,
    drops: bool,
}

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        panic!("a waker");
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.drops || std::thread::panicking(), "a waker is dropped");
    }
}

/// Polls the stream for its next event with this waker.
fn wait_with(stream: &mut EventStream, waker: &Waker) {
    assert!(pin!(stream.next()).poll(&mut Context::from_waker(waker)).is_pending());
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// Returns whether the sequence numbers of the recorded events grow by one each.
fn has_no_gap(recorder: &Recorder) -> bool {
    let seen = recorder.seen();
    seen.iter().zip(1..).all(|(seen, seq)| seen.seq == seq)
}

/// An executor that polls in place reads the end of a shutdown where that is published. The force that it then requests
/// ends the delivery to a subscriber that never returns.
#[test]
fn k4c_a_stream_waker_may_force_the_shutdown_whose_end_it_reads() {
    struct Stays;

    #[async_trait::async_trait]
    impl Subscribe for Stays {
        async fn on_event(&self, event: &Event) {
            if event.kind == EventKind::AllStoppedWithinGrace {
                pending::<()>().await;
            }
        }
    }

    struct InPlace {
        stream: Mutex<EventStream>,
        handle: SupervisorHandle,
        ends: AtomicUsize,
    }

    impl InPlace {
        fn poll(self: Arc<Self>) {
            let waker = Waker::from(Arc::clone(&self));
            let mut stream = self.stream.lock().unwrap();
            while let Poll::Ready(Some(Ok(event))) = pin!(stream.next()).poll(&mut Context::from_waker(&waker)) {
                if event.kind == EventKind::AllStoppedWithinGrace {
                    drop(self.handle.shutdown_now());
                    self.ends.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }

    impl Wake for InPlace {
        fn wake(self: Arc<Self>) {
            self.poll();
        }
    }

    let (sender, result) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let config = SupervisorConfig { drain_timeout: secs(3600), ..SupervisorConfig::default() };
            let supervisor = Supervisor::new(config, vec![Arc::new(Stays)]);
            let (stream, handle) = (Mutex::new(supervisor.events()), supervisor.handle());
            let reader = Arc::new(InPlace { stream, handle, ends: AtomicUsize::new(0) });
            supervisor.add_task(cooperative("task")).await.unwrap();
            Arc::clone(&reader).poll();
            let began = tokio::time::Instant::now();
            let result = supervisor.shutdown().await;
            sender.send((result, began.elapsed(), reader.ends.load(Ordering::SeqCst))).unwrap();
        });
    });
    let (result, took, ends) = result.recv_timeout(secs(60)).expect("hangs");
    assert!(result.is_ok() && took < secs(3600), "{result:?} after {took:?}");
    assert_eq!(ends, 1);
}

#[tokio::test(start_paused = true)]
async fn k4c_a_stream_waker_that_panics_or_calls_back_harms_nobody() -> Result {
    /// A waker that opens and closes streams and reads the supervisor, when woken and when dropped.
    struct Busy(SupervisorHandle);

    impl Busy {
        fn call(&self) {
            let _ = pin!(self.0.events().with_capacity(1).next()).poll(&mut Context::from_waker(Waker::noop()));
            assert!(self.0.snapshot().len() < 100);
        }
    }

    impl Wake for Busy {
        fn wake(self: Arc<Self>) {
            self.call();
        }
    }

    impl Drop for Busy {
        fn drop(&mut self) {
            self.call();
        }
    }

    let (supervisor, recorder) = recorded();
    let bomb = Arc::new(Bomb::default());
    let mut streams: Vec<_> = (0..6).map(|_| supervisor.events().with_capacity(2)).collect();
    for n in 0..20 {
        for (index, stream) in streams.iter_mut().enumerate() {
            while let Poll::Ready(Some(_)) = pin!(stream.next()).poll(&mut Context::from_waker(Waker::noop())) {}
            let waker = match index % 3 {
                0 => Waker::from(Arc::clone(&bomb)),
                1 => Waker::from(Arc::new(Busy(supervisor.handle()))),
                _ => Waker::from(Arc::new(Bomb { drops: true, woken: AtomicUsize::new(0) })),
            };
            wait_with(stream, &waker);
            // The next poll drops the waker of this one.
            std::mem::forget(waker);
        }
        assert!(supervisor.add_task(Script::new([OK]).spec(&n.to_string())).await?.outcome().await.is_completed());
        settle().await;
    }
    assert_eq!(bomb.woken.load(Ordering::SeqCst), 40);
    for stream in &mut streams {
        while let Poll::Ready(Some(_)) = pin!(stream.next()).poll(&mut Context::from_waker(Waker::noop())) {}
        let waker = Waker::from(Arc::new(Bomb { drops: true, woken: AtomicUsize::new(0) }));
        wait_with(stream, &waker);
    }
    drop(streams);
    supervisor.shutdown().await?;
    assert!(has_no_gap(&recorder));
    assert_eq!(recorder.count(EventKind::TaskRemoved), 20);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4f_a_waker_that_panics_takes_no_wake_up_of_another_stream_with_it() -> Result {
    let supervisor = supervisor();
    let bomb = Waker::from(Arc::new(Bomb::default()));
    let mut before = supervisor.events();
    let mut reads = supervisor.events();
    let mut after = supervisor.events();
    wait_with(&mut before, &bomb);
    wait_with(&mut after, &bomb);
    let reader = tokio::spawn(async move {
        let mut kinds = Vec::new();
        while let Some(event) = reads.next().await {
            kinds.push(event.unwrap().kind);
        }
        kinds
    });
    settle().await;
    // Callers that wait for the delivery are woken one by one, too.
    let mut run = Box::pin(supervisor.run(vec![Script::new([OK]).spec("x")]));
    assert!(run.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    settle().await;
    supervisor.shutdown().await?;
    let kinds = reader.await.unwrap();
    assert_eq!(kinds.last(), Some(&EventKind::AllStoppedWithinGrace));
    Ok(())
}

/// Records how many of its calls run at once, and the order of events. Each call waits for `pause`.
#[derive(Default)]
struct Careful {
    running: AtomicUsize,
    most: AtomicUsize,
    taken: Mutex<Vec<u64>>,
    pause: Duration,
    /// The call for the event of this number never returns.
    stays_in: u64,
    /// The drop of that call panics.
    panics: bool,
}

/// A running call.
struct Call<'a>(&'a Careful, u64);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        assert!(!self.0.panics || self.1 != self.0.stays_in, "dropped");
    }
}

#[async_trait::async_trait]
impl Subscribe for Careful {
    async fn on_event(&self, event: &Event) {
        self.most.fetch_max(self.running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _call = Call(self, event.seq);
        self.taken.lock().unwrap().push(event.seq);
        if event.seq == self.stays_in {
            pending::<()>().await;
        }
        tokio::time::sleep(self.pause).await;
    }

    fn queue_capacity(&self) -> usize {
        1 << 20
    }
}

impl Careful {
    /// Asserts that each event up to `last` came once, in order, with no overlapping calls.
    fn had_all_once(&self, last: u64) {
        assert_eq!(self.most.load(Ordering::SeqCst), 1, "calls at once");
        assert_eq!(*self.taken.lock().unwrap(), (1..=last).collect::<Vec<_>>());
    }

    fn last(&self) -> u64 {
        self.taken.lock().unwrap().last().copied().unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn k5q_a_stream_waker_that_panics_starts_no_second_worker() -> Result {
    let careful = Arc::new(Careful { pause: ms(1), ..Careful::default() });
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![careful.clone()]);
    let bomb = Waker::from(Arc::new(Bomb::default()));
    for n in 0..100 {
        let mut stream = supervisor.events();
        wait_with(&mut stream, &bomb);
        let flaky = Script::new([FAIL, OK]).spec(&n.to_string()).with_backoff(constant(ms(1)));
        supervisor.add_task(flaky).await?.outcome().await;
    }
    // A panicking waker does not stop a start or a shutdown halfway.
    let mut stream = supervisor.events();
    wait_with(&mut stream, &bomb);
    let mut ready = Box::pin(supervisor.wait_ready());
    assert!(ready.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    let running = tokio::spawn({
        let supervisor = supervisor.clone();
        async move { supervisor.run(vec![cooperative("last")]).await }
    });
    settle().await;
    wait_with(&mut supervisor.events(), &bomb);
    supervisor.shutdown().await?;
    running.await.unwrap()?;
    careful.had_all_once(careful.last());
    assert_eq!(careful.last(), 100 * 9 + 7);
    Ok(())
}

#[test]
fn k5q_when_the_runtime_of_relay_and_workers_goes_away_another_takes_over() {
    for panics in [false, true] {
        let recorder = Recorder::new();
        let careful = Arc::new(Careful { stays_in: 3, panics, ..Careful::default() });
        let supervisor = Supervisor::new(SupervisorConfig::default(), vec![careful.clone(), recorder.clone()]);
        let (first, second, third) = (runtime(), runtime(), runtime());
        // The relay and the workers run where the first task was added.
        first.block_on(async {
            supervisor.add_task(cooperative("a")).await.unwrap();
            settle().await;
        });
        assert_eq!(careful.last(), 3);
        // The tasks of the second runtime publish, and nothing delivers their events.
        second.block_on(async {
            supervisor.add_task(cooperative("b").with_initial_delay(secs(1))).await.unwrap();
            settle().await;
        });
        drop(first);
        second.block_on(async {
            tokio::time::sleep(secs(2)).await;
            settle().await;
        });
        assert_eq!(recorder.count(EventKind::TaskStarting), 2);
        drop(second);
        // The events from the end of that runtime are delivered by the next.
        third.block_on(async {
            supervisor.add_task(cooperative("c")).await.unwrap();
            settle().await;
            supervisor.shutdown().await.unwrap();
        });
        assert!(has_no_gap(&recorder));
        assert_eq!(recorder.kinds().last(), Some(&EventKind::AllStoppedWithinGrace));
        let last = recorder.seen().last().unwrap().seq;
        careful.had_all_once(last);
    }
}

#[tokio::test(start_paused = true)]
async fn k5i_a_stream_after_the_end_starts_no_second_worker() -> Result {
    let careful = Arc::new(Careful { pause: secs(1), ..Careful::default() });
    let config = SupervisorConfig { drain_timeout: ms(1), ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![careful.clone()]);
    supervisor.add_task(Script::new([OK]).spec("x")).await?.outcome().await;
    supervisor.shutdown().await?;
    // The relay has ended; the worker goes on.
    settle().await;
    for _ in 0..3 {
        assert!(supervisor.events().next().await.is_none());
        settle().await;
    }
    tokio::time::sleep(secs(60)).await;
    careful.had_all_once(8);
    Ok(())
}

/// Names the output that is closed, in the child process in which the test below runs itself.
const CLOSED: &str = "TASKVISOR_TEST_CLOSED";

#[test]
fn k5n_a_closed_output_costs_its_lines_and_no_panic() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    if let Ok(closed) = std::env::var(CLOSED) {
        std::panic::set_hook(Box::new(|_| {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }));
        println!("begun");
        // When stdin ends, the other end of the output is closed.
        std::io::read_to_string(std::io::stdin()).unwrap();
        runtime().block_on(async {
            let event = Event::new(EventKind::TaskFailed);
            let (to_error, to_output) = (LogWriter::default(), LogWriter::new(std::io::stdout()));
            for _ in 0..100 {
                match &*closed {
                    "stderr" => to_error.on_event(&event).await,
                    _ => to_output.on_event(&event).await,
                }
            }
        });
        std::process::exit(if PANICS.load(Ordering::SeqCst) == 0 { 0 } else { 7 });
    }
    let name = "k_faults::bus::k5n_a_closed_output_costs_its_lines_and_no_panic";
    for closed in ["stderr", "stdout"] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CLOSED, closed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // The harness has written its lines by then.
        let mut line = String::new();
        while !line.ends_with("begun\n") {
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "{line}");
        }
        let (mut error, mut output) = (child.stderr.take(), Some(output));
        if closed == "stderr" {
            error.take();
        } else {
            output.take();
        }
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{closed}");
    }
}
