//! The ends of a child that fail its group.

/// Which ends of a task or group, for good and without a request, fail the group that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Critical {
    /// None of them.
    #[default]
    No,
    /// An end in failure.
    Failure,
    /// Any end: it must not end.
    AnyEnd,
}

impl Critical {
    pub(crate) fn is_set(self) -> bool {
        self != Self::No
    }
}
