//! `IntoTimeout`, the argument type of timeout setters.

use std::time::Duration;

/// A timeout: a `Duration`, or `None` for no timeout.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a timeout",
    label = "expected a `Duration` or an `Option<Duration>`",
    note = "write `Duration::from_secs(5)`; the macros also read text: `task(entry, timeout = \"5s\")`"
)]
pub trait IntoTimeout {
    /// Converts the value to an `Option`.
    fn into_timeout(self) -> Option<Duration>;
}

impl IntoTimeout for Duration {
    fn into_timeout(self) -> Option<Duration> {
        Some(self)
    }
}

impl IntoTimeout for Option<Duration> {
    fn into_timeout(self) -> Option<Duration> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_timeout_and_none_is_none() {
        let second = Duration::from_secs(1);
        assert_eq!(
            [second.into_timeout(), Some(second).into_timeout(), None.into_timeout()],
            [Some(second), Some(second), None]
        );
    }
}
