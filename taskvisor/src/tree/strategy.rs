//! The restart strategies of a group.

use std::fmt;

/// The restart strategy of a group: the children that restart when one child fails. The names are those of Erlang/OTP.
/// The guide explains [groups](crate::guide::groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Only the failed child restarts.
    #[default]
    OneForOne,
    /// All children restart.
    OneForAll,
    /// The failed child and the children declared after it restart, one after another.
    RestForOne,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        })
    }
}
