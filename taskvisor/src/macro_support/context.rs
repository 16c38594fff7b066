//! Detects a context whose type has another name, which a macro takes for a field.

use std::marker::PhantomData;

use crate::{CancellationToken, TaskContext};

/// A type that may be a context. Its inherent constants have precedence over that of [`NoContext`].
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl Probe<TaskContext> {
    /// It is a context.
    pub const IS_CONTEXT: bool = true;
}

impl Probe<CancellationToken> {
    /// It is the token of a context.
    pub const IS_CONTEXT: bool = true;
}

/// Any other type.
pub trait NoContext {
    /// It is not a context.
    const IS_CONTEXT: bool = false;
}

impl<T> NoContext for Probe<T> {}

/// Rejects a context whose type has another name.
///
/// # Panics
/// If it is a context. This happens at compile time.
#[track_caller]
pub const fn refuse_context(is_context: bool) {
    assert!(
        !is_context,
        "this is the context of an attempt under another name, and would be a field: write `TaskContext` or \
         `CancellationToken`"
    );
}
