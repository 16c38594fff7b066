//! The error of a refused submission.

use std::sync::Arc;

use crate::supervisor::{InvalidOption, RuntimeError};

labels! {
    /// The error of a submission that was refused: there is no handle and no event. For an accepted submission, the
    /// decision of the slot is its [outcome](crate::TaskOutcome::Rejected). The guide explains
    /// [slots](crate::guide::slots).
    #[derive(Debug, Clone, thiserror::Error)]
    #[non_exhaustive]
    pub enum ControllerError {
        /// The queues hold `queue_capacity` submissions. Only [`try_submit`](crate::SupervisorHandle::try_submit)
        /// returns this; [`submit`](crate::SupervisorHandle::submit) waits.
        #[error("the controller's queue is full: {capacity} submissions wait already")]
        Full {
            /// The controller's `queue_capacity`.
            capacity: usize,
        } = "controller_full",
        /// The supervisor is shutting down or has been shut down.
        #[error("the supervisor is shutting down")]
        ShuttingDown = "controller_shutting_down",
        /// The call needs a Tokio runtime with timers, and there is none.
        #[error("no Tokio runtime: call this from a task or a thread of a Tokio runtime with time enabled")]
        NoRuntime = "controller_no_tokio_runtime",
        /// A spec or a config holds an invalid value.
        #[error(transparent)]
        InvalidOption(Arc<InvalidOption>) = "controller_invalid_option",
    }
}

impl ControllerError {
    /// Returns a short, stable name of the kind of error, for metrics and logs.
    pub const fn as_label(&self) -> &'static str {
        self.label()
    }
}

/// Lets a `main` that returns a [`RuntimeError`] submit tasks.
impl From<ControllerError> for RuntimeError {
    fn from(error: ControllerError) -> Self {
        match error {
            ControllerError::Full { capacity } => Self::QueueFull { capacity },
            ControllerError::ShuttingDown => Self::ShuttingDown,
            ControllerError::NoRuntime => Self::NoRuntime,
            ControllerError::InvalidOption(invalid) => Self::InvalidOption(invalid),
        }
    }
}

impl From<InvalidOption> for ControllerError {
    fn from(invalid: InvalidOption) -> Self {
        Self::InvalidOption(Arc::new(invalid))
    }
}
