//! The ends of a child that fail its group.

/// The ends of a task or group that fail the group around it. Only ends for good and without a stop request count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Critical {
    /// No end.
    #[default]
    No,
    /// An end in failure.
    Failure,
    /// Any end.
    AnyEnd,
}

impl Critical {
    pub(crate) fn is_set(self) -> bool {
        self != Self::No
    }
}
