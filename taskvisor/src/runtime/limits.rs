//! The declarations of limits. Each carries the code that limits need, so that a program without limits is linked
//! without that code.

use std::fmt;
use std::sync::Arc;

use super::permits::{Limits, Shared, check_limits};
use crate::supervisor::InvalidOption;

/// A limit of a group, with the code that limits need. Only [`GroupLimit::by`] creates one.
#[derive(Clone, Copy)]
pub(crate) struct GroupLimit {
    limit: usize,
    make: fn(&Limits, &str, usize) -> Shared,
}

impl GroupLimit {
    pub(crate) fn by(limit: usize) -> Self {
        Self { limit, make: Limits::of_group }
    }

    pub(crate) fn limit(self) -> usize {
        self.limit
    }

    /// Creates the permits of the group at this path.
    pub(super) fn permits(self, limits: &Limits, path: &str) -> Shared {
        (self.make)(limits, path, self.limit)
    }
}

impl fmt::Debug for GroupLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limit.fmt(f)
    }
}

/// The declared limits of a supervisor, with the code that limits need, if there are any.
#[derive(Default)]
pub(crate) struct DeclaredLimits {
    /// The limit of all attempts; zero for none.
    all: usize,
    named: Vec<Named>,
    code: Option<&'static Code>,
}

/// The name of a limit, and the number of its permits.
type Named = (Arc<str>, usize);

struct Code {
    check: fn(&[Named]) -> Result<(), InvalidOption>,
    make: fn(usize, Vec<Named>) -> Limits,
}

static CODE: Code = Code { check: check_limits, make: Limits::new };

impl DeclaredLimits {
    /// Sets the limit of all attempts; zero for none. It is inlined, so that a limit that is known to be zero links no
    /// code.
    #[inline]
    pub(super) fn set_all(&mut self, max_concurrent: usize) {
        self.all = max_concurrent;
        if max_concurrent > 0 {
            self.code = Some(&CODE);
        }
    }

    /// Declares a named limit.
    pub(crate) fn push(&mut self, name: Arc<str>, max_concurrent: usize) {
        self.named.push((name, max_concurrent));
        self.code = Some(&CODE);
    }

    /// Returns the named limits.
    pub(crate) fn named(&self) -> &[Named] {
        &self.named
    }

    /// Changes the named limit at this position.
    pub(crate) fn change(&mut self, at: usize, max_concurrent: usize) {
        self.named[at].1 = max_concurrent;
    }

    pub(super) fn check(&self) -> Result<(), InvalidOption> {
        self.code.map_or(Ok(()), |code| (code.check)(&self.named))
    }

    pub(super) fn build(self) -> Limits {
        self.code.map_or_else(Limits::default, |code| (code.make)(self.all, self.named))
    }
}
