//! The result of the last reload.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use taskvisor::Reconciled;

/// The last reload, for the status page.
#[derive(Debug, Default)]
pub(crate) struct Board {
    reload: Mutex<String>,
}

impl Board {
    /// Records the result of a reload, and prints it.
    pub(crate) fn note(&self, result: Result<Reconciled, impl Display>) {
        let text = match result {
            Ok(changes) => changes.to_string(),
            Err(error) => format!("refused, nothing has changed: {error}"),
        };
        println!("reload: {text}");
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    pub(crate) fn reload(&self) -> String {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
