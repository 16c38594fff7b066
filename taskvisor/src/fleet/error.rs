//! The errors of a store.

use crate::task::BoxError;

/// The error of a call to a [`LeaseStore`](super::LeaseStore).
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The session is over: its time has passed, it was closed, or the store has lost it. This is final.
    #[error("the session has expired")]
    Expired,
    /// The store could not be reached, or did not answer. The call may have been carried out, and is repeated.
    #[error("the store is out of reach")]
    Unreachable(#[source] BoxError),
    /// The store answers, and refuses: no such table, no permission, a wrong password. The call is repeated, and the
    /// error is reported.
    #[error("the store is misconfigured")]
    Misconfigured(#[source] BoxError),
}

impl LeaseError {
    /// Creates an [`Unreachable`](Self::Unreachable).
    pub fn unreachable(error: impl Into<BoxError>) -> Self {
        Self::Unreachable(error.into())
    }

    /// Creates a [`Misconfigured`](Self::Misconfigured).
    pub fn misconfigured(error: impl Into<BoxError>) -> Self {
        Self::Misconfigured(error.into())
    }

    /// Returns `true` if the session is over.
    pub fn is_expired(&self) -> bool {
        matches!(self, Self::Expired)
    }
}
