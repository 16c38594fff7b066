//! The origin of the value of a setting.

use std::fmt;

/// The origin of the value of a setting.
///
/// A later origin of this list replaces an earlier one. Among [`Overrides`](crate::Overrides), the argument of
/// [`then`](crate::Overrides::then) replaces the values before it. The guide explains
/// [overrides](crate::guide::overrides).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// The documented default.
    Default,
    /// The [`SupervisorConfig`](crate::SupervisorConfig), also if `grace`, `drain`, `max_concurrent` or `defaults` of
    /// `supervise!` sets a field of it; or the `ControllerConfig`.
    Config,
    /// The declaration: `#[task]`, `task(..)` and `group(..)`, or a setter.
    Program,
    /// A value of overrides that the program made, with its key.
    Value {
        /// The key, such as `store.pool.timeout`.
        key: String,
    },
    /// A key of a file.
    File {
        /// The name of the file, as it was given to [`Overrides::file`](crate::Overrides::file).
        file: String,
        /// The key, such as `store.pool.timeout`.
        key: String,
    },
    /// An environment variable.
    Variable {
        /// Its name, such as `APP_STORE_POOL_TIMEOUT`.
        name: String,
    },
}

impl Origin {
    /// Returns `true` if the value comes from an override.
    pub fn is_override(&self) -> bool {
        matches!(self, Self::Value { .. } | Self::File { .. } | Self::Variable { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::Config => f.pad("config"),
            Self::Program => f.pad("program"),
            Self::Value { key } => f.pad(key),
            Self::File { file, key } => f.pad(&format!("{file}: {key}")),
            Self::Variable { name } => f.pad(name),
        }
    }
}
