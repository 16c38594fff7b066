//! How a failure made its way through a tree.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::inspect::one_line;
use crate::panics::drop_caught;
use crate::task::TaskError;

/// How a failure made its way up, from the leaf to the group that failed last.
///
/// Its `source()` is what the leaf failed with: where a [`TaskError`] wraps an error, that error.
#[derive(Debug, Clone)]
pub struct FailureChain {
    links: Vec<FailureLink>,
    source: Option<Arc<TaskError>>,
}

/// One step of a [`FailureChain`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureLink {
    /// The path of the task or group; at the root its name.
    pub path: String,
    /// For a group that failed more often than this: how many restarts it allows within which time. `None` for a task,
    /// and for a group that failed because it needs the child before this link.
    pub limit: Option<(u32, Duration)>,
    /// Whether this is a task that was aborted, because it did not stop in time. Its attempts need not have failed.
    pub aborted: bool,
}

impl FailureChain {
    pub(crate) fn leaf(path: &str, source: Option<Arc<TaskError>>) -> Self {
        Self::of_task(path, source, false)
    }

    pub(crate) fn of_task(path: &str, source: Option<Arc<TaskError>>, aborted: bool) -> Self {
        Self { links: vec![FailureLink { path: path.to_owned(), limit: None, aborted }], source }
    }

    pub(crate) fn above(below: Option<Self>, path: &str, limit: Option<(u32, Duration)>) -> Self {
        let mut chain = below.unwrap_or(Self { links: Vec::new(), source: None });
        chain.links.push(FailureLink { path: path.to_owned(), limit, aborted: false });
        chain
    }

    /// The steps, the leaf first.
    #[must_use]
    pub fn links(&self) -> &[FailureLink] {
        &self.links
    }

    /// What the leaf failed with.
    #[must_use]
    pub fn error(&self) -> Option<&Arc<TaskError>> {
        self.source.as_ref()
    }

    pub(crate) fn ends_by_limit(&self) -> bool {
        self.links.last().is_some_and(|link| link.limit.is_some())
    }
}

/// `{}` is how the failure made its way; `{:#}` says as well what the leaf failed with.
impl fmt::Display for FailureChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, link) in self.links.iter().enumerate() {
            let path = &link.path;
            match (index, link.limit) {
                (0, None) if link.aborted => write!(f, "`{path}` was aborted, as it did not stop in time")?,
                (0, None) => write!(f, "`{path}` failed")?,
                (_, Some((max, within))) => write!(f, ", `{path}` exceeded {max} restarts within {within:?}")?,
                (_, None) => write!(f, ", which `{path}` needs")?,
            }
            if let (0, true, Some(source)) = (index, f.alternate(), &self.source) {
                write!(f, " ({})", one_line(&**source))?;
            }
        }
        Ok(())
    }
}

impl Error for FailureChain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error.unwrapped())
    }
}

impl Drop for FailureChain {
    /// The error is the user's, and so is its drop, which can happen anywhere: with a group, or with a verdict.
    fn drop(&mut self) {
        if self.source.is_some() {
            let _ = drop_caught(self.source.take());
        }
    }
}
