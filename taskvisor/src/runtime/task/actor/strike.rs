//! Faults that the test kit injects into the running attempt.

use std::future::pending;
use std::mem;
use std::panic::resume_unwind;

use super::super::decision::Ending;
use super::{Actor, Attempt, Step};
use crate::panics::catch;
use crate::task::{BoxTaskFuture, Panic, TaskError};
use crate::test::FaultKind;

impl Actor {
    /// Applies a fault that was sent to the attempt. Returns `true` if there was one.
    pub(in crate::runtime) fn is_struck(&mut self) -> bool {
        let Step::Attempt(attempt) = &mut self.step else { return false };
        let Some((strike, number)) = self.cell.take_fault() else { return false };
        strike.log.note(strike.kind, self.cell.name(), number);
        let error = match strike.kind {
            FaultKind::Hang => {
                attempt.hang();
                return true;
            }
            FaultKind::Crash => TaskError::Fail { reason: "simulated crash".into() },
            FaultKind::Fatal => TaskError::Fatal { reason: "simulated fatal error".into() },
            FaultKind::Panic => attempt.panic(),
        };
        self.end_attempt(Ending::Result(Err(error)));
        true
    }
}

impl Attempt {
    fn take_future(&mut self) -> BoxTaskFuture {
        mem::replace(&mut self.future, Box::pin(pending()))
    }

    /// Makes the attempt hang: its future is never polled again, and keeps its values until it is dropped.
    fn hang(&mut self) {
        let future = self.take_future();
        self.future = Box::pin(async move {
            let _held = future;
            pending().await
        });
    }

    /// Drops the future while the thread unwinds, as a panic in the future would. The panic hook is not called, because
    /// this is not a failure of the test.
    fn panic(&mut self) -> TaskError {
        let future = self.take_future();
        let unwound = catch(|| {
            let _dropped = future;
            resume_unwind(Box::new("simulated panic"));
        });
        unwound.err().unwrap_or(TaskError::Panicked(Box::new(Panic::new("simulated panic"))))
    }
}
