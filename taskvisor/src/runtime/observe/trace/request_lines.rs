//! Which log lines about a shutdown are being written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::is_heard;
use crate::runtime::core::Core;
use crate::runtime::own_runtime::start_thread;
use crate::sync::Waiters;

/// The lines that are announced and not written. The stop of the tasks waits for them for a moment, and does not depend on
/// them, because a subscriber can block its thread.
#[derive(Default)]
pub(in crate::runtime) struct RequestLines {
    left: AtomicUsize,
    written: Waiters,
}

/// An announced line, until this is dropped.
pub(in crate::runtime) struct RequestLine<'a>(Option<&'a RequestLines>);

impl RequestLines {
    /// Announces a line that the caller writes next.
    pub(in crate::runtime) fn announce(&self) -> RequestLine<'_> {
        if !is_heard() {
            return RequestLine(None);
        }
        self.left.fetch_add(1, Ordering::AcqRel);
        RequestLine(Some(self))
    }

    pub(in crate::runtime) fn are_written(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }

    /// Announces a line, and writes it on a thread of its own. If no thread can be started, it is written here.
    pub(in crate::runtime) fn write_apart(core: &Arc<Core>, write: impl Fn() + Send + Sync + 'static) {
        if !is_heard() {
            return;
        }
        core.stop.lines.left.fetch_add(1, Ordering::AcqRel);
        let core = Arc::clone(core);
        let write = Arc::new(move || {
            let _line = RequestLine(Some(&core.stop.lines));
            write();
        });
        let there = Arc::clone(&write);
        if start_thread("taskvisor-log".into(), Box::new(move || there())).is_err() {
            write();
        }
    }

    /// Waits until no announced line is left.
    pub(in crate::runtime) async fn written(&self) {
        self.written.wait(|| self.are_written().then_some(())).await;
    }
}

impl Drop for RequestLine<'_> {
    fn drop(&mut self) {
        if let Some(lines) = self.0 {
            lines.left.fetch_sub(1, Ordering::AcqRel);
            lines.written.wake();
        }
    }
}
