//! The types that a task can take as its first argument.

use tokio_util::sync::CancellationToken;

use super::context::TaskContext;

mod sealed {
    pub trait Sealed {
        /// `true` for the context, `false` for the token only.
        const IS_WHOLE: bool;
    }

    impl Sealed for crate::task::TaskContext {
        const IS_WHOLE: bool = true;
    }

    impl Sealed for tokio_util::sync::CancellationToken {
        const IS_WHOLE: bool = false;
    }
}

/// A type that a task can take as its first argument: a [`TaskContext`] or a [`CancellationToken`].
pub trait FromContext: sealed::Sealed + Sized + Send + 'static {
    /// Extracts the argument from the context.
    fn from_context(ctx: TaskContext) -> Self;
}

impl FromContext for TaskContext {
    fn from_context(ctx: TaskContext) -> Self {
        ctx
    }
}

impl FromContext for CancellationToken {
    fn from_context(ctx: TaskContext) -> Self {
        ctx.token()
    }
}
