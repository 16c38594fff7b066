//! The restart strategies of a group.

labels! {
    /// Whether the tasks that were added to a group at run time are kept when the group restarts. The guide explains
    /// [groups](crate::guide::groups).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[non_exhaustive]
    pub enum Dynamic: Display {
        /// They are registered again after the declared children, in the order in which they were added.
        #[default]
        Keep = "keep",
        /// They are dropped, as in Erlang/OTP.
        Drop = "drop",
    }
}

labels! {
    /// The restart strategy of a group: the children that restart when one child fails. The names are those of
    /// Erlang/OTP. The guide explains [groups](crate::guide::groups).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[non_exhaustive]
    pub enum Strategy: Display {
        /// Only the failed child restarts.
        #[default]
        OneForOne = "one_for_one",
        /// All children restart.
        OneForAll = "one_for_all",
        /// The failed child and the children declared after it restart, one after another.
        RestForOne = "rest_for_one",
    }
}
