//! Waits for an outcome that are dropped.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use taskvisor::RuntimeError;
use tests::{cooperative, supervisor};

type Result = std::result::Result<(), RuntimeError>;

#[derive(Debug)]
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test(start_paused = true)]
async fn f14_a_dropped_wait_for_an_outcome_leaves_no_waker_behind() -> Result {
    let supervisor = supervisor();
    let handle = supervisor.add_task(cooperative("t")).await?;
    let waits = Arc::new(Nobody);
    let waker = Waker::from(Arc::clone(&waits));
    let mut cx = Context::from_waker(&waker);
    for number in [1, 3] {
        let mut waiting: Vec<_> = (0..number).map(|_| Box::pin(handle.outcome())).collect();
        for wait in &mut waiting {
            assert!(wait.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(Arc::strong_count(&waits), 2 + number);
        drop(waiting);
        assert_eq!(Arc::strong_count(&waits), 2);
    }
    supervisor.shutdown().await
}
