//! Threads and Tokio runtimes of this crate, apart from the runtime of the tasks.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::thread::{Builder as Thread, JoinHandle};

use tokio::runtime::{Builder, Handle, Id, Runtime};

thread_local! {
    /// The runtime of this crate to which the thread belongs.
    static OWN: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Returns the runtime of the caller. `None` on a runtime of this crate, where user code runs too, such as a store of
/// leases: what it adds belongs on the runtime of the tasks.
pub(super) fn here() -> Option<Handle> {
    let here = Handle::try_current().ok();
    here.filter(|here| OWN.get() != Some(here.id()))
}

/// Returns `true` on a thread of this crate that has a runtime.
#[inline]
pub(super) fn is_own_thread() -> bool {
    OWN.get().is_some()
}

/// A current-thread runtime with all drivers. Its drop does not wait for its tasks, because it can happen in a task of
/// another runtime, where Tokio refuses to wait: if no thread can be started, for example.
pub(super) struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    pub(super) fn new() -> io::Result<Self> {
        Builder::new_current_thread().enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    /// Starts a thread that calls `f` with the runtime, and drops the runtime afterwards.
    pub(super) fn on_thread(self, name: &str, f: impl FnOnce(&Self) + Send + 'static) -> io::Result<()> {
        let work = move || {
            OWN.set(Some(self.handle().id()));
            f(&self);
        };
        start_thread(name.into(), Box::new(work)).map(drop)
    }

    /// Runs a future to its end. As a trait object, so that the loop of the runtime is compiled once.
    pub(super) fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        let mut output = None;
        {
            let driving: Pin<&mut dyn Future<Output = ()>> = pin!(async { output = Some(future.await) });
            self.block_on(driving);
        }
        match output {
            Some(output) => output,
            None => unreachable!("the future has ended"),
        }
    }
}

/// Starts a thread. Boxed, so that the code to start one is compiled once.
pub(crate) fn start_thread(name: String, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Thread::new().name(name).spawn(work)
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
