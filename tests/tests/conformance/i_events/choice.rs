//! Subscribers that want some kinds of events.

use std::sync::{Arc, Mutex};

use taskvisor::{Event, EventKind, RuntimeError, Subscribe, Supervisor, SupervisorConfig};
use tests::{ALWAYS, FAIL, OK, Recorder, Script, constant, cooperative, ms, secs};
use tokio::time::sleep;

/// Takes failures, in a queue with room for one.
#[derive(Default)]
struct Failures(Mutex<Vec<Option<u32>>>);

#[async_trait::async_trait]
impl Subscribe for Failures {
    async fn on_event(&self, event: &Event) {
        assert_eq!(event.kind, EventKind::TaskFailed);
        // The others come meanwhile.
        sleep(ms(10)).await;
        self.0.lock().unwrap().push(event.attempt);
    }

    fn queue_capacity(&self) -> usize {
        1
    }

    fn wants(&self, kind: EventKind) -> bool {
        kind == EventKind::TaskFailed
    }
}

#[tokio::test(start_paused = true)]
async fn i02_a_subscriber_receives_and_loses_only_what_it_wants() -> Result<(), RuntimeError> {
    let (failures, recorder) = (Arc::new(Failures::default()), Recorder::new());
    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![failures.clone(), recorder.clone()]);
    let often = Script::new([OK]).spec("often").with_restart(ALWAYS);
    supervisor.add_task(often).await?;
    let refused = Script::new([FAIL]).spec("refused").with_backoff(constant(ms(100)));
    supervisor.add_task(refused).await?;
    sleep(secs(1)).await;
    supervisor.shutdown().await?;
    let failed = recorder.count(EventKind::TaskFailed);
    assert!(failed >= 9 && recorder.count(EventKind::TaskStopped) > 10);
    let expected: Vec<_> = (1..).take(failed).map(Some).collect();
    assert_eq!(*failures.0.lock().unwrap(), expected);
    assert_eq!(recorder.count(EventKind::SubscriberOverflow), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn k4b_a_subscriber_that_panics_over_what_it_wants_is_refused() {
    struct Wild;

    #[async_trait::async_trait]
    impl Subscribe for Wild {
        async fn on_event(&self, _: &Event) {}

        fn wants(&self, kind: EventKind) -> bool {
            panic!("{kind}");
        }
    }

    let supervisor = Supervisor::new(SupervisorConfig::default(), vec![Arc::new(Wild)]);
    let refused = supervisor.run(vec![cooperative("a")]).await.unwrap_err().to_string();
    assert!(refused.contains("`wants`"), "{refused}");
}
