//! The error of one override.

use std::fmt;

use super::origin::Origin;

/// An override that was refused, with its origin and the problem.
///
/// [`RuntimeError::InvalidOverrides`](crate::RuntimeError::InvalidOverrides) has all of them. The message never has the
/// value of a variable that names no setting, because it may be a secret. The guide explains
/// [overrides](crate::guide::overrides).
///
/// # Examples
/// ```
/// use taskvisor::{Overrides, RuntimeError, SupervisorConfig, Tree};
///
/// let overrides = Overrides::variables("APP", [("APP_GRACE", "30"), ("APP_DRIAN", "5s")]);
/// let built = Tree::builder(SupervisorConfig::default()).with_overrides(overrides).try_build();
///
/// let Err(RuntimeError::InvalidOverrides(invalid)) = built else { panic!() };
/// assert_eq!(invalid[0].to_string(), "APP_DRIAN: unknown setting, did you mean `APP_DRAIN`?");
/// assert!(invalid[1].to_string().starts_with("APP_GRACE: \"30\" has no unit"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidOverride {
    /// The origin: a key of a file, or a variable.
    pub origin: Origin,
    /// The problem, and a description of valid values.
    pub message: String,
}

impl InvalidOverride {
    pub(super) fn new(origin: &Origin, message: impl Into<String>) -> Self {
        Self { origin: origin.clone(), message: message.into() }
    }
}

impl fmt::Display for InvalidOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

impl std::error::Error for InvalidOverride {}
