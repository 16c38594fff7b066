//! A task that fails and is restarted at once: alone, heard, observed, and beside others.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "cron")]
use taskvisor::Schedule;
use taskvisor::{CancellationToken, Supervisor, TaskError, TaskFn, TaskRef, TaskSpec};

use super::{Plain, boom, config, events_of, is_completed, supervisor, waiting};
use crate::contender::Measured;
use crate::countdown::{Countdown, check};
use crate::sample::Meter;
use crate::work::Others;

/// The number of other tasks.
const OTHERS: u64 = 10;

/// Fails until no failures are left.
#[expect(clippy::unused_async, reason = "an attempt is a future")]
pub(super) async fn attempt(failures: Arc<Countdown>) -> Result<(), TaskError> {
    if failures.take() { Err(boom()) } else { Ok(()) }
}

/// A task without a token that fails so often, and then completes.
fn failing(left: &Arc<Countdown>) -> TaskSpec {
    let failures = Arc::clone(left);
    TaskSpec::inherit(Arc::new(Plain(move || attempt(Arc::clone(&failures)))))
}

pub(super) async fn alone(size: u64, takes_token: bool, subscribers: u64) -> Measured {
    let (supervisor, heard) = supervisor(subscribers);
    let left = Countdown::new(size);
    let failures = Arc::clone(&left);
    let task: TaskRef = if takes_token {
        TaskFn::arc("task", move |_: CancellationToken| attempt(Arc::clone(&failures)))
    } else {
        Arc::new(Plain(move || attempt(Arc::clone(&failures))))
    };
    let meter = Meter::start();
    supervisor.run_until(vec![TaskSpec::inherit(task)], std::future::pending()).await?;
    let sample = meter.finish(size);
    left.check()?;
    Ok(Some(sample.with_each_heard(&heard, events_of(size))?))
}

#[cfg(feature = "console")]
pub(super) async fn beside_console(size: u64) -> Measured {
    let (supervisor, _) = supervisor(0);
    let console = taskvisor_console::Console::new(supervisor.handle());
    let left = Countdown::new(size);
    let meter = Meter::start();
    supervisor.run_until(vec![failing(&left)], std::future::pending()).await?;
    let sample = meter.finish(size);
    check("streams", console.streams() as u64, 0)?;
    left.check()?;
    Ok(Some(sample))
}

/// The others wait, with an option that the task itself does not have. One more sleeps, so that Tokio always has a timer.
pub(super) async fn beside(size: u64, others: Others) -> Measured {
    let supervisor = Supervisor::builder(config()).with_named_limit("limit", 4).try_build()?;
    let (started, left) = (Countdown::endless(), Countdown::new(size));
    let sleeper = TaskFn::arc("sleeper", |_: CancellationToken| async {
        tokio::time::sleep(Duration::from_hours(1)).await;
        Ok(())
    });
    let mut handles = Vec::new();
    supervisor.add_task(TaskSpec::inherit(sleeper)).await?;
    for number in 0..OTHERS {
        let spec = waiting(format!("other-{number}"), &started);
        let spec = match others {
            Others::Plain | Others::Paused => spec,
            Others::Limited => spec.with_named_limit("limit"),
            Others::Retried => spec.with_limit(5, Duration::from_mins(1)),
            #[cfg(feature = "cron")]
            Others::Scheduled => spec
                .with_restart(taskvisor::RestartPolicy::Always { interval: None })
                .with_schedule(Schedule::cron("@yearly")),
            #[cfg(not(feature = "cron"))]
            Others::Scheduled => return Ok(None),
        };
        handles.push(supervisor.add_task(spec).await?);
    }
    if others == Others::Paused {
        let paused = handles.iter().filter(|handle| handle.pause_and_stop()).count();
        check("paused", paused as u64, OTHERS)?;
    }
    let meter = Meter::start();
    let outcome = supervisor.add_task(failing(&left)).await?.outcome().await;
    let sample = meter.finish(size);
    check("completed", u64::from(is_completed(&outcome)), 1)?;
    left.check()?;
    Ok(Some(sample))
}

/// With the recorder of `metrics-exporter-prometheus`, installed as programs do.
#[cfg(feature = "metrics")]
pub(super) async fn with_metrics(size: u64) -> Measured {
    let shown = metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder()?;
    let sample = alone(size, false, 0).await?;
    let restarts = shown.render().lines().find_map(|line| {
        let count = line.strip_prefix("taskvisor_restarts_total{")?.rsplit(' ').next()?;
        count.parse().ok()
    });
    check("restarts in the metrics", restarts.unwrap_or(0), size)?;
    Ok(sample)
}

/// With a subscriber that counts spans and events, from the level INFO up.
#[cfg(feature = "tracing")]
pub(super) async fn with_tracing(size: u64) -> Measured {
    let counts = super::tracer::install()?;
    let sample = alone(size, false, 0).await?;
    check("spans", counts.spans(), size + 1)?;
    // Failures that repeat are told ever more rarely.
    check("events", u64::from(counts.events() > 0), 1)?;
    Ok(sample)
}
