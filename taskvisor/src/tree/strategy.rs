//! Who is restarted when one of several siblings fails.

use std::fmt;

/// Who is restarted when a child of a group fails. Named as in Erlang/OTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Only that child.
    #[default]
    OneForOne,
    /// All children.
    OneForAll,
    /// That child and those declared after it, which start one after another.
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
