//! The path of a failure through a tree.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::inspect::one_line;
use crate::panics::drop_caught;
use crate::task::TaskError;

/// The path of a failure, from the leaf to the last group that failed.
///
/// Its `source()` is the error of the leaf. If a [`TaskError`] wraps an error, the source is the wrapped error.
#[derive(Debug, Clone)]
pub struct FailureChain {
    links: Vec<FailureLink>,
    source: Option<Arc<TaskError>>,
}

/// One step of a [`FailureChain`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct FailureLink {
    /// The path of the task or group. For a child of the root, the path is its name.
    pub path: String,
    /// The limit that the group exceeded: the number of restarts, and the time. `None` for a task, and for a group that
    /// failed because the previous link is critical to it.
    pub limit: Option<(u32, Duration)>,
    /// `true` for a task that was aborted because it did not stop in time. Its attempts need not have failed.
    pub aborted: bool,
    /// `true` for a task or group that ended without a failure, but must not end
    /// ([`critical_at_any_end`](crate::TaskSpec::critical_at_any_end)).
    pub ended: bool,
    /// `true` for a group whose children could not be made ([`Group::fresh`](crate::Group::fresh)).
    pub unmade: bool,
}

/// How the leaf of a chain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaf {
    Failed,
    /// It was aborted, because it did not stop in time.
    Aborted,
    /// It ended without a failure, although it must not end.
    Ended,
    /// A group whose children could not be made.
    Unmade,
}

impl FailureChain {
    pub(crate) fn leaf(path: &str, source: Option<Arc<TaskError>>, how: Leaf) -> Self {
        let (aborted, ended, unmade) = (how == Leaf::Aborted, how == Leaf::Ended, how == Leaf::Unmade);
        Self { links: vec![FailureLink { path: path.to_owned(), limit: None, aborted, ended, unmade }], source }
    }

    pub(crate) fn above(below: Option<Self>, path: &str, limit: Option<(u32, Duration)>) -> Self {
        let mut chain = below.unwrap_or(Self { links: Vec::new(), source: None });
        chain.links.push(FailureLink { path: path.to_owned(), limit, aborted: false, ended: false, unmade: false });
        chain
    }

    /// Returns the links, starting with the leaf.
    pub fn links(&self) -> &[FailureLink] {
        &self.links
    }

    /// Returns the error of the leaf.
    pub fn error(&self) -> Option<&Arc<TaskError>> {
        self.source.as_ref()
    }

    pub(crate) fn ends_by_limit(&self) -> bool {
        self.links.last().is_some_and(|link| link.limit.is_some())
    }
}

/// `{}` gives the path of the failure; `{:#}` also gives the error of the leaf.
impl fmt::Display for FailureChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, link) in self.links.iter().enumerate() {
            let path = &link.path;
            match (index, link.limit) {
                (0, None) if link.aborted => write!(f, "`{path}` was aborted, as it did not stop in time")?,
                (0, None) if link.ended => write!(f, "`{path}` ended although it must not")?,
                (0, None) if link.unmade => write!(f, "`{path}` could not make its children")?,
                (0, None) => write!(f, "`{path}` failed")?,
                (_, Some((max, within))) => {
                    let restarts = if max == 1 { "restart" } else { "restarts" };
                    write!(f, ", `{path}` exceeded {max} {restarts} within {within:?}")?;
                }
                (_, None) => write!(f, ", which `{path}` needs")?,
            }
            if let (0, true, Some(source)) = (index, f.alternate(), &self.source) {
                write!(f, " ({})", one_line(&**source))?;
            }
        }
        Ok(())
    }
}

/// Compares the links. Errors of users cannot be compared.
impl PartialEq for FailureChain {
    fn eq(&self, other: &Self) -> bool {
        self.links == other.links
    }
}

impl Eq for FailureChain {}

impl PartialOrd for FailureChain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FailureChain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.links.cmp(&other.links)
    }
}

impl Hash for FailureChain {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.links.hash(hasher);
    }
}

impl Error for FailureChain {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|error| error.unwrapped())
    }
}

impl Drop for FailureChain {
    /// Drops the user's error inside `panics::catch`, because the chain can be dropped anywhere.
    fn drop(&mut self) {
        if self.source.is_some() {
            let _ = drop_caught(self.source.take());
        }
    }
}
