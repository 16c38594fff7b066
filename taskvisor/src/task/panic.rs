//! A caught panic.

use std::backtrace::Backtrace;
use std::fmt;
use std::panic::Location;

/// A panic of user code that was caught.
///
/// `Display` gives the location, if it is known, and the message: `panicked at src/sync.rs:12:5: no such row`.
pub struct Panic {
    message: String,
    location: Option<PanicLocation>,
    backtrace: Option<Backtrace>,
}

/// The place in the source where a panic happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PanicLocation {
    /// The path of the file, as the compiler saw it.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
}

impl Panic {
    /// Creates a panic with this message and no location, for the test of code that handles errors.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), location: None, backtrace: None }
    }

    pub(crate) fn at(message: String, location: Option<PanicLocation>, backtrace: Option<Backtrace>) -> Self {
        Self { message, location, backtrace }
    }

    /// Returns the message, or a fixed text if the payload of the panic is not a string.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the place of the panic. `None` if no hook recorded it (see [`record_panics`](crate::record_panics)), and
    /// for a panic that was resumed with `std::panic::resume_unwind`.
    pub const fn location(&self) -> Option<&PanicLocation> {
        self.location.as_ref()
    }

    /// Returns the backtrace of the panic, if it has a location and the environment asks for backtraces, for example
    /// with `RUST_BACKTRACE=1`.
    pub const fn backtrace(&self) -> Option<&Backtrace> {
        self.backtrace.as_ref()
    }
}

impl PanicLocation {
    pub(crate) fn of(location: &Location<'_>) -> Self {
        Self { file: location.file().to_owned(), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for PanicLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panicked")?;
        if let Some(location) = &self.location {
            write!(f, " at {location}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl_debug!(Panic, |panic| message: panic.message, location: panic.location);
