//! `NoOutput`, what the future of `run_until` returns.

/// The output of a future that [`Supervisor::run_until`](crate::Supervisor::run_until) waits for: `()`, so that no
/// result is lost.
#[diagnostic::on_unimplemented(
    message = "the future of `run_until` returns `()`, and this returns `{Self}`",
    label = "returns `{Self}`",
    note = "to stop at Ctrl+C or SIGTERM, call `run()`, which listens to both; to ignore a result, write \
            `async {{ let _ = future.await; }}`"
)]
pub trait NoOutput {}

impl NoOutput for () {}
