//! The function that makes the children of a group at each of its starts.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::task::{IntoTaskError, IntoTaskSpec, TaskError, TaskSpec};

/// The future of one call of a [`Maker`].
pub(crate) type Making = Pin<Box<dyn Future<Output = Result<Vec<TaskSpec>, TaskError>> + Send>>;

/// A function that makes the children of a group. It is user code: it is called, its futures are polled, and all of it
/// is dropped, inside `panics::catch`.
#[derive(Clone)]
pub(crate) struct Maker(Arc<dyn Fn() -> Making + Send + Sync>);

impl Maker {
    pub(super) fn new<F, Specs, E>(make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Specs, E>> + Send + 'static,
        Specs: IntoIterator<Item: IntoTaskSpec>,
        E: IntoTaskError,
    {
        Self(Arc::new(move || {
            let making = make();
            Box::pin(async move {
                let specs = making.await.map_err(IntoTaskError::into_task_error)?;
                Ok(specs.into_iter().map(IntoTaskSpec::into_task_spec).collect())
            })
        }))
    }

    /// Calls the function.
    pub(crate) fn make(&self) -> Making {
        (self.0)()
    }
}

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker(..)")
    }
}
