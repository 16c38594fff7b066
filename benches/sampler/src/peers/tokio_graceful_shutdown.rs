//! `tokio-graceful-shutdown` 0.20.
//!
//! It restarts nothing, so that rows about restarts are missing. Subsystems are started in one root subsystem, which is
//! controlled from outside through its handle. It has no events, no slots, and no registry by name.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio_graceful_shutdown::{SubsystemBuilder, SubsystemHandle, Toplevel};

use crate::contender::{Contender, Measured};
use crate::countdown::{Countdown, PollAgain};
use crate::sample::{Meter, Sample};

pub(crate) struct TokioGracefulShutdown;

impl Contender for TokioGracefulShutdown {
    async fn once(&self, size: u64, _takes_token: bool) -> Measured {
        within(move |root| {
            Box::pin(async move {
                let left = Countdown::new(size);
                let meter = Meter::start();
                let mut started = Vec::new();
                for number in 0..size {
                    started.push(start_job(root, format!("task-{number}"), &left));
                }
                for subsystem in started {
                    subsystem.join().await?;
                }
                let sample = meter.finish(size);
                left.check()?;
                Ok(sample)
            })
        })
        .await
    }

    async fn idle(&self, size: u64, _takes_token: bool) -> Measured {
        within(move |root| {
            Box::pin(async move {
                let started = Countdown::new(size);
                let meter = Meter::start();
                for number in 0..size {
                    start_waiting(root, format!("task-{number}"), &started);
                }
                started.wait().await;
                Ok(meter.finish(size))
            })
        })
        .await
    }

    async fn cancel(&self, size: u64, others: u64, has_started: bool) -> Measured {
        within(move |root| {
            Box::pin(async move {
                let started = Countdown::new(others);
                for number in 0..others {
                    start_waiting(root, format!("other-{number}"), &started);
                }
                started.wait().await;
                let begun = Countdown::of_started(size, has_started);
                let meter = Meter::start();
                for number in 0..size {
                    let subsystem = start_waiting(root, format!("task-{number}"), &begun);
                    if has_started {
                        yield_now().await;
                    }
                    subsystem.initiate_shutdown();
                    subsystem.join().await?;
                }
                let sample = meter.finish(size);
                begun.check_started(has_started)?;
                Ok(sample)
            })
        })
        .await
    }

    async fn stop(&self, size: u64) -> Measured {
        let (sender, meter) = oneshot::channel();
        let toplevel = Toplevel::new(async move |root: &mut SubsystemHandle| {
            let started = Countdown::new(size);
            for number in 0..size {
                start_waiting(root, format!("task-{number}"), &started);
            }
            started.wait().await;
            // The receiver is gone only if the future is being dropped.
            let _ = sender.send(Meter::start());
            root.request_shutdown();
        });
        toplevel.handle_shutdown_requests(GRACE).await?;
        Ok(Some(meter.await?.finish(size)))
    }

    async fn poll(&self, size: u64) -> Measured {
        within(move |root| {
            Box::pin(async move {
                let meter = Meter::start();
                let polled = async move |_: &mut SubsystemHandle| {
                    for _ in 0..size {
                        PollAgain::default().await;
                    }
                    Ok::<(), std::io::Error>(())
                };
                root.start(SubsystemBuilder::new("task", polled)).join().await?;
                Ok(meter.finish(size))
            })
        })
        .await
    }

    async fn lifecycle(&self, size: u64) -> Measured {
        let meter = Meter::start();
        let left = Countdown::new(size);
        for _ in 0..size {
            let job_left = Arc::clone(&left);
            let toplevel = Toplevel::new(async move |root: &mut SubsystemHandle| {
                start_job(root, "task".to_owned(), &job_left);
            });
            toplevel.handle_shutdown_requests(GRACE).await?;
        }
        let sample = meter.finish(size);
        left.check()?;
        Ok(Some(sample))
    }
}

const GRACE: Duration = Duration::from_mins(1);

type Nested = tokio_graceful_shutdown::NestedSubsystem;

type Measuring<'a> = Pin<Box<dyn Future<Output = Result<Sample, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Measures inside a root subsystem, then stops the rest.
async fn within(measured: impl FnOnce(&SubsystemHandle) -> Measuring<'_> + Send + 'static) -> Measured {
    let (sender, sample) = oneshot::channel();
    let toplevel = Toplevel::new(async move |root: &mut SubsystemHandle| {
        // The receiver is gone only if the future is being dropped.
        let _ = sender.send(measured(root).await);
        root.request_shutdown();
    });
    toplevel.handle_shutdown_requests(GRACE).await?;
    sample.await?.map(Some)
}

fn start_job(root: &SubsystemHandle, name: String, left: &Arc<Countdown>) -> Nested {
    let left = Arc::clone(left);
    root.start(SubsystemBuilder::new(name, async move |_: &mut SubsystemHandle| {
        left.finish();
        Ok::<(), std::io::Error>(())
    }))
}

fn start_waiting(root: &SubsystemHandle, name: String, started: &Arc<Countdown>) -> Nested {
    let started = Arc::clone(started);
    root.start(SubsystemBuilder::new(name, async move |subsystem: &mut SubsystemHandle| {
        started.finish();
        drop(started);
        subsystem.on_shutdown_requested().await;
        Ok::<(), std::io::Error>(())
    }))
}
