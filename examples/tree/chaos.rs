//! Random faults that the tasks inject into themselves.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use taskvisor::prelude::*;
use tokio::time::sleep;

use crate::{BEAT, Failure};

/// Makes a task fail now and then. Each task has its own random numbers, so that the seed alone determines its faults.
#[derive(Clone)]
pub(crate) struct Chaos {
    random: Option<Arc<Mutex<fastrand::Rng>>>,
    ended: Arc<AtomicBool>,
    /// A call of `strike` has an effect once in this many times on average.
    odds: u32,
}

impl Chaos {
    /// Returns the faults of one task after another, with the odds for each.
    pub(crate) fn seeds(seed: Option<u64>) -> impl FnMut(u32) -> Self {
        let mut random = seed.map(fastrand::Rng::with_seed);
        let ended = Arc::new(AtomicBool::new(false));
        move |odds| Self {
            random: random.as_mut().map(|random| Arc::new(Mutex::new(random.fork()))),
            ended: Arc::clone(&ended),
            odds,
        }
    }

    /// Does nothing, fails, panics or hangs.
    pub(crate) async fn strike(&self, ctx: &TaskContext) -> Result<(), Failure> {
        let Some(random) = &self.random else { return Ok(()) };
        if ctx.is_cancelled() || self.ended.load(Ordering::Relaxed) {
            return Ok(());
        }
        let what = {
            let mut random = random.lock().unwrap_or_else(PoisonError::into_inner);
            (random.u32(..self.odds) == 0).then(|| random.u8(..3))
        };
        match what {
            None => Ok(()),
            Some(0) => Err("chaos: a failure".into()),
            // Like `panic!`, without the message on standard error.
            Some(1) => resume_unwind(Box::new("chaos: a panic")),
            // Ignores stop requests, so that the watchdog must detect the hang.
            Some(_) => {
                while !self.ended.load(Ordering::Relaxed) {
                    sleep(BEAT).await;
                }
                Ok(())
            }
        }
    }

    /// Ends the chaos for all tasks.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}
