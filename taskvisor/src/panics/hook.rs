//! The panic hook that records where a panic happened.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;
use std::thread;

use crate::task::PanicLocation;

/// The origin of a panic.
pub(super) struct Origin {
    message: Option<String>,
    pub(super) location: Option<PanicLocation>,
    pub(super) backtrace: Option<Backtrace>,
}

thread_local! {
    /// The origin of the last panic of this thread, until it is caught.
    static LAST: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

/// Records from now on where panics happen: [`Panic::location`](crate::Panic::location) and
/// [`Panic::backtrace`](crate::Panic::backtrace) then return it for panics of tasks, their helpers, blocking work,
/// subscribers and drops.
///
/// `run`, `run_until` and `run_to_exit` call it. Call it earlier to locate the panics before that, or if the program
/// only calls [`start`](crate::Tree::start).
///
/// It installs a panic hook, once for the process. The hook records the location and then calls the hook that was
/// installed before, so that messages are still printed. A hook that the program sets later replaces this hook for
/// good. To keep the locations, let the later hook call this one, which `std::panic::take_hook` returns. Do not set a
/// hook on another thread at the same time.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), taskvisor::RuntimeError> {
/// use taskvisor::{RestartPolicy, Supervisor, SupervisorConfig, TaskContext, TaskError, TaskFn, TaskOutcome, TaskSpec};
///
/// taskvisor::record_panics();
/// let supervisor = Supervisor::new(SupervisorConfig::default(), vec![]);
/// let task = TaskFn::arc("divide", |ctx: TaskContext| async move {
///     assert!(ctx.attempt() > 1, "no first attempt");
///     Ok(())
/// });
/// let spec = TaskSpec::inherit(task).with_restart(RestartPolicy::Never);
/// let outcome = supervisor.add_task(spec).await?.outcome().await;
///
/// let TaskOutcome::Panicked { error } = outcome else { panic!() };
/// let TaskError::Panicked(panic) = &*error else { panic!() };
/// assert_eq!(panic.message(), "no first attempt");
/// assert!(panic.location().is_some());
/// # Ok(())
/// # }
/// ```
pub fn record_panics() {
    static INSTALLED: Once = Once::new();
    // A thread that panics must not change the hook.
    if thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            record(info);
            before(info);
        }));
    });
}

fn record(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let backtrace = Backtrace::capture();
    let origin = Origin {
        message: text.map(str::to_owned),
        location: info.location().map(PanicLocation::of),
        backtrace: (backtrace.status() == BacktraceStatus::Captured).then_some(backtrace),
    };
    let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| last.replace(origin)));
}

/// Returns the origin of the panic with this message that was just caught, if it was recorded.
pub(super) fn take(message: Option<&str>) -> Option<Origin> {
    let last = LAST.try_with(|last| last.try_borrow_mut().ok()?.take()).ok()??;
    // A panic that was resumed runs no hook. The record can then belong to an earlier panic that the program caught
    // itself.
    (last.message.as_deref() == message).then_some(last)
}
