//! The return types and argument types of task functions.

use std::any::Any;
use std::convert::Infallible;

use super::error::{BoxError, TaskError};

/// The return type of a function under `#[task]`: `()`, or `Result<(), E>`. A function that never ends in success
/// returns `Infallible`, `!`, or `Result<Infallible, E>`.
///
/// `E` is any error, `String`, `&'static str` or a boxed error. A [`TaskError`], boxed or not, keeps its meaning; any
/// other error becomes [`TaskError::Error`]. With the feature `anyhow`, `downcast_ref` finds the error in an
/// `anyhow::Error`; without it, it finds the `anyhow::Error`.
///
/// | return value | meaning |
/// |---|---|
/// | `()`, `Ok(())` | success: the [`RestartPolicy`](crate::RestartPolicy) decides whether and when the task runs again, unless the attempt has set [when](crate::TaskContext::repeat_after) |
/// | any other error, a panic, a timeout | failure: the task is retried after its backoff, if its policy allows it |
/// | an error with [`TaskError::retry_after`] | the same, after the delay of the error |
/// | [`TaskError::Fatal`], [`TaskError::Permanent`], an error that `retry_if` rejects | failure: the task ends for good |
/// | [`TaskError::Canceled`] | no failure: the task ends for good |
#[diagnostic::on_unimplemented(
    message = "a supervised task cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` may be `TaskError`, `String`, `&'static str`, `Box<dyn std::error::Error + Send + Sync>`, or any `std::error::Error + \
            Send + Sync + 'static`",
    note = "nobody would get a value: send it through a channel, or keep it in an `Arc` that another task has, too"
)]
pub trait IntoTaskResult {
    /// Converts the return value of the function to the result of the attempt.
    ///
    /// # Errors
    /// The returned error, as a [`TaskError`].
    fn into_task_result(self) -> Result<(), TaskError>;
}

impl IntoTaskResult for () {
    fn into_task_result(self) -> Result<(), TaskError> {
        Ok(())
    }
}

/// A task that never ends by itself.
#[diagnostic::do_not_recommend]
impl IntoTaskResult for Infallible {
    fn into_task_result(self) -> Result<(), TaskError> {
        match self {}
    }
}

/// A task that never ends in success.
#[diagnostic::do_not_recommend]
impl<E: IntoTaskError> IntoTaskResult for Result<Infallible, E> {
    fn into_task_result(self) -> Result<(), TaskError> {
        self.into_result().map_err(E::into_task_error)
    }
}

impl<E: IntoTaskError> IntoTaskResult for Result<(), E> {
    fn into_task_result(self) -> Result<(), TaskError> {
        self.map_err(E::into_task_error)
    }
}

/// The return type of a function under `#[task(retry_if = ..)]`: `Result<(), E>` or `Result<Infallible, E>`, as in
/// [`IntoTaskResult`].
#[diagnostic::on_unimplemented(
    message = "a supervised task with `retry_if` cannot return `{Self}`",
    label = "expected `Result<(), E>`",
    note = "`E` may be `TaskError`, `String`, `&'static str`, `Box<dyn std::error::Error + Send + Sync>`, or any `std::error::Error + \
            Send + Sync + 'static`",
    note = "nobody would get a value: send it through a channel, or keep it in an `Arc` that another task has, too"
)]
pub trait Fallible {
    /// The error type.
    type Error;

    /// Returns the result itself.
    ///
    /// # Errors
    /// The error in it.
    fn into_result(self) -> Result<(), Self::Error>;
}

impl<E> Fallible for Result<(), E> {
    type Error = E;

    fn into_result(self) -> Self {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<E> Fallible for Result<Infallible, E> {
    type Error = E;

    fn into_result(self) -> Result<(), E> {
        self.map(|never| match never {})
    }
}

/// An error type of a task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a task can fail with",
    label = "expected a type that implements `std::error::Error`, `Send` and `Sync`",
    note = "a task returns `()` or `Result<(), E>`, where `E` is `TaskError`, `String`, `&'static str`, \
            `Box<dyn std::error::Error + Send + Sync>`, or any `std::error::Error + Send + Sync + 'static`"
)]
pub trait IntoTaskError {
    /// Converts the error to a [`TaskError`].
    fn into_task_error(self) -> TaskError;

    /// Converts the return value of the function to the result of the attempt. An error for which `retry_if` is `false`
    /// is not retried.
    #[doc(hidden)]
    fn retried_if(returned: Result<(), Self>, retry_if: fn(&Self) -> bool) -> Result<(), TaskError>
    where
        Self: Sized,
    {
        returned.map_err(|error| {
            let retries = retry_if(&error);
            let error = error.into_task_error();
            if retries { error } else { error.into_permanent() }
        })
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError> + Send + 'static> IntoTaskError for E {
    fn into_task_error(self) -> TaskError {
        // Checked before the error is boxed, so that a plain `TaskError` needs no allocation.
        let mut error = Some(self);
        if let Some(own) = (&mut error as &mut dyn Any).downcast_mut::<Option<TaskError>>() {
            return own.take().unwrap_or(TaskError::Canceled);
        }
        #[cfg(feature = "anyhow")]
        if let Some(error) = (&mut error as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>() {
            return error.take().map_or(TaskError::Canceled, of_anyhow);
        }
        let Some(error) = error else { return TaskError::Canceled };
        // `Into` and `?` put a `Box<TaskError>` into a second box, because the box is an error as well.
        match error.into().downcast::<TaskError>().or_else(|other| other.downcast::<Box<TaskError>>().map(|own| *own)) {
            Ok(own) => *own,
            Err(other) => TaskError::Error(other),
        }
    }
}

/// For `?` in a function that returns `Result<(), TaskError>`. A [`TaskError`] inside keeps its meaning; any other error
/// becomes [`TaskError::Error`].
impl From<BoxError> for TaskError {
    fn from(error: BoxError) -> Self {
        error.into_task_error()
    }
}

/// For `?` in a function that returns `Result<(), TaskError>`. A [`TaskError`] inside keeps its meaning, also with
/// context added to it; any other error becomes [`TaskError::Error`].
#[cfg(feature = "anyhow")]
impl From<anyhow::Error> for TaskError {
    fn from(error: anyhow::Error) -> Self {
        error.into_task_error()
    }
}

/// A [`TaskError`] inside keeps its meaning. If context was added to it, the `TaskError` decides whether and when the
/// task is retried, and the error in the result is the one with the context.
#[cfg(feature = "anyhow")]
fn of_anyhow(error: anyhow::Error) -> TaskError {
    match error.downcast_ref::<TaskError>() {
        Some(_) if error.chain().next().is_some_and(<dyn std::error::Error>::is::<TaskError>) => {
            error.downcast().unwrap_or_else(|error| TaskError::Error(boxed(error)))
        }
        Some(TaskError::Canceled) => TaskError::Canceled,
        Some(own) if own.is_fatal() => TaskError::Permanent(boxed(error)),
        Some(TaskError::RetryAfter(told)) => {
            let delay = told.delay();
            TaskError::Error(boxed(error)).retry_after(delay)
        }
        _ => TaskError::Error(boxed(error)),
    }
}

/// Converts to a box of the user's own error, which a downcast can find. `into` would return a box of a type of anyhow.
#[cfg(feature = "anyhow")]
fn boxed(error: anyhow::Error) -> BoxError {
    error.reallocate_into_boxed_dyn_error_without_backtrace()
}

/// An argument of a function under `#[task]`. It is cloned for each attempt. Implemented for each type that is `Clone +
/// Send + Sync + 'static`.
#[diagnostic::on_unimplemented(
    message = "an argument of a task must be `Clone + Send + Sync + 'static`, and `{Self}` is not",
    label = "cloned for each attempt",
    note = "derive `Clone`, or share it: `Arc<..>` for what is used by `&`, `Arc<tokio::sync::Mutex<..>>` for what needs \
            `&mut`, `taskvisor::inbox` in place of a receiver; a trait object is `Arc<dyn Trait + Send + Sync>`"
)]
pub trait TaskArg: Sized {
    /// Returns the clone for the next attempt.
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

    type Label = Option<(&'static str, String)>;

    /// Returns the label and the message of the error of a function that returns `Result<(), E>`.
    fn label<E: IntoTaskError>(result: Result<(), E>) -> Label {
        label_of(result)
    }

    fn label_of(result: impl IntoTaskResult) -> Label {
        result.into_task_result().err().map(|error| (error.as_label(), crate::inspect::messages(&error).swap_remove(0)))
    }

    #[test]
    fn every_allowed_return_type_keeps_its_meaning() {
        let fatal = || TaskError::Fatal { reason: "no such table".into() };
        assert_eq!(label_of(()), None);
        assert_eq!(label(Ok::<(), Infallible>(())), None);
        assert_eq!(label_of(Err::<Infallible, _>("lost")), Some(("task_failed", "lost".into())));
        assert_eq!(label_of(Err::<Infallible, _>(fatal())), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err(Box::new(fatal()))), Some(("task_fatal", "no such table".into())));
        let again = || -> Result<(), BoxError> { Err(Box::new(fatal()))? };
        assert_eq!(label(again()), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err(fatal())), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err(BoxError::from(fatal()))), Some(("task_fatal", "no such table".into())));
        assert_eq!(label(Err("plain")), Some(("task_failed", "plain".into())));
        assert_eq!(label(Err(String::from("owned"))), Some(("task_failed", "owned".into())));
        assert_eq!(label(Err(BoxError::from("boxed"))), Some(("task_failed", "boxed".into())));
        assert_eq!(label(Err(std::io::Error::other("io"))), Some(("task_failed", "io".into())));
    }

    #[test]
    fn what_is_not_to_be_retried_keeps_its_error_and_what_is_no_failure_its_meaning() {
        fn once<E: IntoTaskError>(error: E) -> TaskError {
            E::retried_if(Err(error), |_| false).unwrap_err()
        }
        let io = once(std::io::Error::other("io"));
        assert_eq!((io.as_label(), io.is_fatal(), io.is_retryable()), ("task_fatal", true, false));
        assert!(matches!(&io, TaskError::Permanent(error) if error.is::<std::io::Error>()));
        assert_eq!(format!("{io:#}"), "io");
        assert!(matches!(once("plain"), TaskError::Permanent(error) if error.to_string() == "plain"));
        assert!(matches!(once(String::from("owned")), TaskError::Permanent(_)));
        assert!(matches!(once(BoxError::from("boxed")), TaskError::Permanent(_)));
        let fail = TaskError::Fail { reason: "down".into() };
        assert!(matches!(once(fail), TaskError::Fatal { reason } if reason == "down"));
        let timeout = || TaskError::Timeout { timeout: std::time::Duration::from_secs(1) };
        let text = timeout().to_string();
        assert!(matches!(once(timeout()), TaskError::Fatal { reason } if reason == text));
        assert!(matches!(once(BoxError::from(timeout())), TaskError::Fatal { .. }));
        assert!(matches!(once(TaskError::error("wrapped")), TaskError::Permanent(_)));
        assert!(matches!(once(TaskError::permanent("for good")), TaskError::Permanent(_)));
        let told = TaskError::error("wrapped").retry_after(std::time::Duration::from_secs(1));
        assert!(matches!(once(told), TaskError::Permanent(error) if error.to_string() == "wrapped"));
        assert!(matches!(once(TaskError::Fatal { reason: "x".into() }), TaskError::Fatal { .. }));
        assert!(matches!(once(TaskError::Canceled), TaskError::Canceled));
        assert!(matches!(once(TaskError::Panicked(Box::new(crate::Panic::new("x")))), TaskError::Panicked(_)));
    }

    #[test]
    fn an_anyhow_error_is_an_error_like_others() {
        let error = anyhow::anyhow!("down").context("asking");
        let Err(TaskError::Error(error)) = Err::<(), _>(error).into_task_result() else { panic!("no error") };
        assert_eq!(error.to_string(), "asking");
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("down"));
        let io = anyhow::Error::from(std::io::Error::other("io"));
        assert_eq!(label(Err(io)), Some(("task_failed", "io".into())));
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn k5a_the_error_in_an_anyhow_error_is_found_once() {
        use std::error::Error;
        use std::iter::successors;

        let io = || std::io::Error::from(std::io::ErrorKind::NotFound);
        for error in [anyhow::Error::from(io()), anyhow::Error::from(io()).context("asking").context("syncing")] {
            let error = error.into_task_error();
            let chain = successors(Some(&error as &(dyn Error + 'static)), |&error| error.source());
            assert_eq!(chain.filter(|error| error.is::<std::io::Error>()).count(), 1);
        }
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn a_task_error_in_an_anyhow_error_keeps_its_meaning() {
        let label = |error: anyhow::Error| label(Err(error)).unwrap();
        let fatal = || anyhow::Error::from(TaskError::Fatal { reason: "no such table".into() });
        let timeout = || TaskError::Timeout { timeout: std::time::Duration::from_secs(1) };
        assert_eq!(label(fatal()), ("task_fatal", "no such table".into()));
        assert_eq!(label(timeout().into()).0, "task_timeout");
        assert_eq!(label(TaskError::Canceled.into()).0, "task_canceled");
        // With context added, or as the context itself.
        assert_eq!(label(fatal().context("migrating")), ("task_fatal", "migrating".into()));
        assert_eq!(label(fatal().context("migrating").context("starting")), ("task_fatal", "starting".into()));
        assert_eq!(label(anyhow::anyhow!("x").context(TaskError::Canceled)).0, "task_canceled");
        assert_eq!(label(anyhow::Error::from(TaskError::Canceled).context("leaving")).0, "task_canceled");
        assert_eq!(label(anyhow::Error::from(timeout()).context("asking")), ("task_failed", "asking".into()));
        let TaskError::Permanent(error) = fatal().context("migrating").into_task_error() else { panic!("not fatal") };
        assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("no such table"));
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn the_question_mark_converts_boxed_errors_and_those_of_anyhow() {
        fn boxed(error: TaskError) -> Result<(), TaskError> {
            Err::<(), BoxError>(error.into())?;
            Ok(())
        }
        fn of_anyhow(error: TaskError) -> Result<(), TaskError> {
            Err::<(), _>(anyhow::Error::from(error).context("migrating"))?;
            Ok(())
        }
        let io = || TaskError::error(std::io::Error::other("io"));
        assert_eq!(label(boxed(io())), Some(("task_failed", "io".into())));
        assert_eq!(label(boxed(TaskError::Canceled)).unwrap().0, "task_canceled");
        assert_eq!(label(of_anyhow(io())), Some(("task_failed", "migrating".into())));
        assert_eq!(label(of_anyhow(TaskError::permanent("x"))), Some(("task_fatal", "migrating".into())));
    }

    #[cfg(feature = "anyhow")]
    #[test]
    fn o26_a_told_delay_in_an_anyhow_error_stays() {
        let second = std::time::Duration::from_secs(1);
        let error = || anyhow::Error::from(TaskError::error("status 429").retry_after(second));
        for (error, text) in [
            (error(), "status 429"),
            (error().context("reading").context("syncing"), "syncing: reading: status 429"),
            (
                anyhow::anyhow!("lost").context(TaskError::Fail { reason: "down".into() }.retry_after(second)),
                "down: lost",
            ),
        ] {
            let error = error.into_task_error();
            let TaskError::RetryAfter(told) = &error else { panic!("{error:?}") };
            assert_eq!((told.delay(), told.error().as_label()), (second, "task_failed"));
            assert_eq!(crate::inspect::one_line(&error), text);
        }
    }

    #[test]
    fn what_is_to_be_retried_stays_as_it_is() {
        let always = |error: std::io::Error| IntoTaskError::retried_if(Err(error), |_| true);
        assert!(matches!(always(std::io::Error::other("io")), Err(TaskError::Error(_))));
        assert!(String::retried_if(Ok(()), |_| false).is_ok());
        // The predicate receives the user's own error.
        let not_found = std::io::Error::from(std::io::ErrorKind::NotFound);
        let seen = IntoTaskError::retried_if(Err(not_found), |error| error.kind() != std::io::ErrorKind::NotFound);
        assert!(matches!(seen, Err(TaskError::Permanent(_))));
    }
}
