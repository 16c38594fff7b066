//! What an async function may return to be a task, and what it may take.

use std::any::Any;

use crate::error::{BoxError, TaskError};

/// What a function under `#[task]` may return: `()`, or `Result<(), E>` with any error, `String`, `&'static str` or
/// boxed error. A [`TaskError`], boxed or not, keeps its meaning; others become [`TaskError::Error`].
#[diagnostic::on_unimplemented(
    message = "a supervised task cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` may be `TaskError`, `String`, `&'static str`, a boxed error, or any `std::error::Error + Send + Sync`"
)]
pub trait IntoTaskResult {
    /// Turns what the function returned into the result of the attempt.
    ///
    /// # Errors
    /// The error that was returned, as a [`TaskError`].
    fn into_task_result(self) -> Result<(), TaskError>;
}

impl IntoTaskResult for () {
    fn into_task_result(self) -> Result<(), TaskError> {
        Ok(())
    }
}

impl<E: IntoTaskError> IntoTaskResult for Result<(), E> {
    fn into_task_result(self) -> Result<(), TaskError> {
        self.map_err(E::into_task_error)
    }
}

/// What a task may fail with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a task can fail with",
    label = "not an error type",
    note = "a task returns `()` or `Result<(), E>`, where `E` is `TaskError`, `String`, `&'static str`, a boxed error, \
            or any `std::error::Error + Send + Sync + 'static`"
)]
pub trait IntoTaskError {
    /// Turns the error into a [`TaskError`].
    fn into_task_error(self) -> TaskError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + Send + 'static> IntoTaskError for E {
    fn into_task_error(self) -> TaskError {
        // Asked before it is boxed, so that the usual `TaskError` costs no allocation.
        let mut error = Some(self);
        if let Some(own) = (&mut error as &mut dyn Any).downcast_mut::<Option<TaskError>>() {
            return own.take().unwrap_or(TaskError::Canceled);
        }
        let Some(error) = error else { return TaskError::Canceled };
        match error.into().downcast::<TaskError>() {
            Ok(own) => *own,
            Err(other) => TaskError::Error(other),
        }
    }
}

/// An argument of a function under `#[task]`: cloned for each attempt.
#[diagnostic::on_unimplemented(
    message = "an argument of a task must be `Clone + Send + Sync + 'static`, and `{Self}` is not",
    label = "cloned for each attempt",
    note = "wrap it in an `Arc`, or derive `Clone`"
)]
pub trait TaskArg: Sized {
    /// The copy that the next attempt owns.
    #[must_use]
    fn for_attempt(&self) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> TaskArg for T {
    fn for_attempt(&self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label<R: IntoTaskResult>(result: R) -> Option<(&'static str, String)> {
        result.into_task_result().err().map(|error| (error.as_label(), error.to_string()))
    }

    #[test]
    fn every_allowed_return_type_keeps_its_meaning() {
        let fatal = || TaskError::Fatal { reason: "no such table".into() };
        assert_eq!(label(()), None);
        assert_eq!(label(Ok::<(), std::convert::Infallible>(())), None);
        assert_eq!(label(Err(fatal())), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err(BoxError::from(fatal()))), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err("plain")), Some(("task_failed", "plain".into())));
        assert_eq!(label(Err(String::from("owned"))), Some(("task_failed", "owned".into())));
        assert_eq!(label(Err(BoxError::from("boxed"))), Some(("task_failed", "boxed".into())));
        assert_eq!(label(Err(std::io::Error::other("io"))), Some(("task_failed", "io".into())));
    }
}
