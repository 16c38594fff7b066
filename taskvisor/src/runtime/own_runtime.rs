//! Tokio runtimes of this crate, apart from the runtime of the tasks.

use std::io;
use std::ops::Deref;
use std::thread;

use tokio::runtime::{Builder, Runtime};

/// A current-thread runtime with all drivers. Its drop does not wait for its tasks, because it can happen in a task of
/// another runtime, where Tokio refuses to wait: if no thread can be started, for example.
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    /// Starts a thread that calls `f` with the runtime, and drops the runtime afterwards.
    pub(super) fn on_thread(self, name: &str, f: impl FnOnce(&Runtime) + Send + 'static) -> io::Result<()> {
        thread::Builder::new().name(name.into()).spawn(move || f(&self)).map(drop)
    }
}

impl Deref for OwnRuntime {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        match &self.0 {
            Some(runtime) => runtime,
            None => unreachable!("it is taken by the drop"),
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
