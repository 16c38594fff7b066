//! Replaces `trace` if the feature `tracing` is off.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::super::group::GroupCell;
use super::super::task::{Cell, Next};
use crate::inspect::{TaskId, TaskOutcome};
use crate::supervisor::RuntimeError;
use crate::task::TaskError;

#[derive(Default)]
pub(crate) struct AttemptSpan;

pub(crate) struct InSpan<'a>(PhantomData<&'a ()>);

impl Drop for InSpan<'_> {
    fn drop(&mut self) {}
}

#[derive(Clone, Default)]
pub(crate) struct SpanRef;

#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl AttemptSpan {
    pub(super) fn downgrade(&self) -> SpanRef {
        SpanRef
    }

    pub(crate) fn enter(&self) -> InSpan<'_> {
        InSpan(PhantomData)
    }

    pub(crate) fn close(&mut self) {}
}

#[expect(clippy::unused_self, reason = "it has the shape of the real one")]
impl SpanRef {
    pub(crate) fn upgrade(&self) -> AttemptSpan {
        AttemptSpan
    }
}

pub(super) fn begin(_: &Cell, _: u32) -> AttemptSpan {
    AttemptSpan
}

pub(super) fn timed_out(_: &Cell, _: Duration) {}

pub(super) fn concluded(_: &Cell, _: &Next) {}

pub(super) fn ended(_: &Cell, _: &TaskOutcome) {}

pub(in crate::runtime) fn added(_: &Cell) {}

pub(super) fn removed(_: &Cell) {}

#[cfg(feature = "controller")]
pub(super) fn not_run(_: &Cell) {}

pub(in crate::runtime) fn group_failed(_: &GroupCell, _: &Arc<TaskError>, _: u32, _: Duration) {}

pub(in crate::runtime) fn group_ended(_: &GroupCell, _: &TaskOutcome) {}

pub(in crate::runtime) fn warned(_: &str, _: Option<TaskId>, _: &str) {}

pub(in crate::runtime) fn shutdown_requested(_: &str) {}

pub(in crate::runtime) fn shutdown_over(_: &Result<(), RuntimeError>) {}

pub(in crate::runtime) fn spawn<F>(runtime: &Handle, future: F, _: impl FnOnce(&F) -> Arc<str>)
where
    F: Future<Output = ()> + Send + 'static,
{
    runtime.spawn(future);
}
