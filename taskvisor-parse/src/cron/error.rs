//! The errors in the text of a pattern.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// All errors in the text of a pattern, at least one. Its `Display` joins their messages.
///
/// # Examples
///
/// ```
/// use taskvisor_parse::cron::Pattern;
///
/// let errors = Pattern::parse("70 2 * * mno").unwrap_err();
/// let messages: Vec<&str> = errors.iter().map(|error| error.message()).collect();
/// assert_eq!(
///     messages,
///     [
///         "minute `70` in \"70 2 * * mno\" is not within 0 to 59",
///         "unknown day of week `mno` in \"70 2 * * mno\", did you mean `mon`?",
///     ]
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(Vec<PatternError>);

impl Errors {
    /// Returns the errors: those of the fields from left to right, and then the error that the days of the pattern
    /// never come.
    pub fn iter(&self) -> std::slice::Iter<'_, PatternError> {
        self.0.iter()
    }
}

impl<'e> IntoIterator for &'e Errors {
    type Item = &'e PatternError;
    type IntoIter = std::slice::Iter<'e, PatternError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.iter().enumerate() {
            f.write_str(if position > 0 { "; " } else { "" })?;
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Errors {}

/// One error in the text of a pattern. Its `Display` is its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError {
    message: String,
    span: Range<usize>,
}

impl PatternError {
    /// Returns the message. It names the token, the text, and a valid form.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the range of the token in the text, in bytes. Both ends are boundaries of characters.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskvisor_parse::cron::Pattern;
    ///
    /// let text = "0 24 * * *";
    /// let errors = Pattern::parse(text).unwrap_err();
    /// let tokens: Vec<&str> = errors.iter().map(|error| &text[error.span()]).collect();
    /// assert_eq!(tokens, ["24"]);
    /// ```
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for PatternError {}

/// Collects the errors about one text.
#[derive(Debug, Default)]
pub(super) struct Collector(Vec<PatternError>);

impl Collector {
    /// Reports an error, unless the last one is about the same token.
    pub(super) fn push(&mut self, span: Range<usize>, message: String) {
        if self.0.last().is_none_or(|last| last.span != span) {
            self.0.push(PatternError { message, span });
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the value if nothing was reported.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Errors> {
        if self.0.is_empty() { Ok(value) } else { Err(Errors(self.0)) }
    }
}
