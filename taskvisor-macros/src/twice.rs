//! Two functions of one name in one scope. The compiler reports them, and would report all that is generated beside the
//! second as well.
//!
//! A macro does not see what stands around its function. So each function is kept with its place for as long as the
//! compiler runs, and for two of one name in one file, the braces around both are compared in the text of the file. No
//! file is read without such a suspicion, and nothing is left out where a place is not known, as before Rust 1.88.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use proc_macro2::Ident;
use syn::ext::IdentExt;

use crate::echo::is_editor;

/// What has a name of the function already, in the same scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twice {
    Function,
    /// Only the type beside the function.
    Type,
}

/// The place of the name of a function. Lines are counted from 1, and columns from 0.
#[derive(Clone, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    name: String,
    line: usize,
    column: usize,
}

/// The functions of this compilation, by their name and by that of their type.
#[derive(Default)]
struct Seen {
    functions: HashMap<String, Vec<Place>>,
    types: HashMap<String, Vec<Place>>,
}

/// Held to add a function and to copy what is there, and while no file is read.
static SEEN: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);

/// Keeps the function, and returns what has one of its names already.
pub(crate) fn find(function: &Ident, ty: &Ident) -> Option<Twice> {
    let place = Place::of(function)?;
    let (functions, types) = {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        let functions = seen.functions.entry(function.unraw().to_string()).or_default();
        let functions = keep(functions, &place);
        (functions, keep(seen.types.entry(ty.unraw().to_string()).or_default(), &place))
    };
    if place.shares_scope(&functions) {
        Some(Twice::Function)
    } else {
        place.shares_scope(&types).then_some(Twice::Type)
    }
}

/// Adds the place, and returns the others in its file.
fn keep(places: &mut Vec<Place>, place: &Place) -> Vec<Place> {
    if !places.contains(place) {
        places.push(place.clone());
    }
    places.iter().filter(|other| other.file == place.file && *other != place).cloned().collect()
}

impl Place {
    fn of(name: &Ident) -> Option<Self> {
        if is_editor() {
            return None;
        }
        let (file, start) = (name.span().local_file()?, name.span().start());
        Some(Self { file, name: name.to_string(), line: start.line, column: start.column })
    }

    /// Returns `true` if one of the others in the file is in the same scope.
    fn shares_scope(&self, others: &[Self]) -> bool {
        if others.is_empty() {
            return false;
        }
        let Ok(text) = fs::read_to_string(&self.file) else { return false };
        let scope = |place: &Self| scope(&text, place.offset(&text)?);
        scope(self).is_some_and(|own| others.iter().any(|other| scope(other).as_ref() == Some(&own)))
    }

    /// Returns the offset in the text of the file; `None` if something else is there.
    fn offset(&self, text: &str) -> Option<usize> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let start: usize = text.split_inclusive('\n').take(self.line.checked_sub(1)?).map(str::len).sum();
        let (inside, _) = text.get(start..)?.char_indices().nth(self.column)?;
        text.get(start + inside..)?.starts_with(&self.name).then_some(start + inside)
    }
}

/// Returns the offsets of the brackets around that place; `None` inside a macro, which can put it anywhere.
pub(crate) fn scope(text: &str, place: usize) -> Option<Vec<usize>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut around: Vec<(usize, bool)> = Vec::new();
    let mut at = 0;
    // `!`, or the name after it, as in `macro_rules! name {`
    let mut is_call = false;
    while at < place {
        let rest = text.get(at..)?;
        let first = rest.chars().next()?;
        match first {
            '(' | '[' | '{' => around.push((at, is_call)),
            ')' | ']' | '}' => drop(around.pop()?),
            _ => {}
        }
        let is_comment = rest.starts_with("//") || rest.starts_with("/*");
        is_call = match first {
            '!' => true,
            _ if is_comment || first.is_whitespace() => is_call,
            _ => is_call && is_of_word(first),
        };
        at += length(rest, first);
    }
    let is_in_macro = around.iter().any(|(_, is_macro)| *is_macro);
    (at == place && !is_in_macro).then(|| around.into_iter().map(|(start, _)| start).collect())
}

/// Returns the length of the comment, literal, word or mark at the start.
fn length(rest: &str, first: char) -> usize {
    let inside = rest.get(first.len_utf8()..).unwrap_or_default();
    match first {
        '/' if inside.starts_with('/') => rest.find('\n').unwrap_or(rest.len()),
        '/' if inside.starts_with('*') => length_of_comment(rest),
        '"' => 1 + length_of_quoted(inside, '"'),
        '\'' => {
            let is_char = inside.starts_with('\\') || inside.chars().nth(1) == Some('\'');
            if is_char { 1 + length_of_quoted(inside, '\'') } else { 1 }
        }
        _ if is_of_word(first) => {
            let word = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(word);
            let is_raw = matches!(word, "r" | "br" | "cr");
            word.len() + if is_raw { length_of_raw(after) } else { 0 }
        }
        _ => first.len_utf8(),
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the length of a block comment, which can contain others.
fn length_of_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(here) = rest.get(at..).filter(|here| !here.is_empty()) {
        match here.get(..2) {
            Some("/*") => depth += 1,
            Some("*/") => depth -= 1,
            _ => {
                at += here.chars().next().map_or(1, char::len_utf8);
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Returns the length of the rest of a literal in these quotes, with the last.
fn length_of_quoted(inside: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = inside.find(|c| {
        let is_end = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(inside.len(), |end| end + 1)
}

/// Returns the length of `#".."#` after an `r`; 0 for another token.
fn length_of_raw(after: &str) -> usize {
    let text = after.trim_start_matches('#');
    let hashes = after.len() - text.len();
    let Some(text) = text.strip_prefix('"') else { return 0 };
    let end = format!("\"{}", after.get(..hashes).unwrap_or_default());
    text.find(&end).map_or(after.len(), |length| hashes + 1 + length + end.len())
}
