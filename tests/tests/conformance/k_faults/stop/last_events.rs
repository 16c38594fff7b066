//! The delivery of the last events of a shutdown.

use std::sync::Arc;

use taskvisor::{Event, EventKind, Subscribe, Supervisor, SupervisorConfig};
use tests::{Recorder, cooperative, secs, settle};
use tokio::time::{Instant, sleep};

use super::Result;

/// A subscriber that needs 5 s for the last event.
struct Slow;

#[async_trait::async_trait]
impl Subscribe for Slow {
    async fn on_event(&self, event: &Event) {
        if event.kind == EventKind::AllStoppedWithinGrace {
            sleep(secs(5)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k5m_a_force_after_the_end_was_told_is_not_told() -> Result {
    let recorder = Recorder::new();
    let config = SupervisorConfig { drain_timeout: secs(9), ..SupervisorConfig::default() };
    let supervisor = Supervisor::new(config, vec![Arc::new(Slow), recorder.clone()]);
    supervisor.add_task(cooperative("polite")).await?;
    settle().await;
    let start = Instant::now();
    let first = supervisor.shutdown();
    sleep(secs(1)).await;
    assert_eq!(recorder.count(EventKind::AllStoppedWithinGrace), 1);
    let second = supervisor.shutdown_now();
    settle().await;
    first.await?;
    second.await?;
    assert!(start.elapsed() <= secs(5));
    settle().await;
    assert_eq!(recorder.count(EventKind::ShutdownForced), 0);
    assert_eq!(recorder.seen().last().map(|seen| seen.kind), Some(EventKind::AllStoppedWithinGrace));
    Ok(())
}
