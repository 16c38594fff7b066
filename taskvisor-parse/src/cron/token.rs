//! Parts of a text with their positions.

use std::fmt;
use std::ops::Range;

/// A part of the text, and the byte at which it begins. Its `Display` has no control characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'t> {
    pub(super) start: usize,
    pub(super) text: &'t str,
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.escape_debug().fmt(f)
    }
}

impl Token<'_> {
    pub(super) fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Splits at each character for which `is_separator` is true; these are ASCII.
    pub(super) fn split(self, is_separator: fn(char) -> bool) -> impl Iterator<Item = Self> {
        let mut start = self.start;
        self.text.split(is_separator).map(move |text| {
            let token = Self { start, text };
            start += text.len() + 1;
            token
        })
    }

    /// Splits at the first `separator`, which is ASCII.
    pub(super) fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        Some((Self { text: before, ..self }, Self { start: self.start + before.len() + 1, text: after }))
    }

    /// Compares without regard to case.
    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// Returns the number, or `u32::MAX` for a larger one; `None` if there are other characters than digits.
    pub(super) fn number(self) -> Option<u32> {
        let is_number = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| self.text.parse().unwrap_or(u32::MAX))
    }
}
