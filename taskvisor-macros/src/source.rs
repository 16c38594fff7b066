//! The text of a source file, and the brackets in it.

/// A file, and its pairs of brackets by their start.
pub(crate) struct Source {
    text: String,
    /// `None` if the brackets do not match, as in a file that has changed.
    brackets: Option<Vec<Brackets>>,
}

/// A pair of brackets.
struct Brackets {
    start: usize,
    end: usize,
    /// The index of the pair around it.
    around: Option<usize>,
    /// `true` inside a macro, which can put anything anywhere.
    is_in_macro: bool,
    /// `true` for the braces of an `impl` or a `trait`.
    is_of_methods: bool,
}

/// The brackets around a place, by the index of the innermost pair. `None` for the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope(Option<usize>);

impl Scope {
    /// The file itself.
    pub(crate) const ROOT: Self = Self(None);
}

impl Source {
    pub(crate) fn of(text: String) -> Self {
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let brackets = brackets(&text);
        Self { text, brackets }
    }

    /// Returns the offset of that name; `None` if something else is there. Lines are counted from 1, and columns from 0.
    pub(crate) fn find(&self, name: &str, line: usize, column: usize) -> Option<usize> {
        let start: usize = self.text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let (inside, _) = self.text.get(start..)?.char_indices().nth(column)?;
        self.text.get(start + inside..)?.starts_with(name).then_some(start + inside)
    }

    /// Returns the scope of that place; `None` inside a macro.
    pub(crate) fn scope(&self, place: usize) -> Option<Scope> {
        let brackets = self.brackets.as_ref()?;
        let mut innermost = brackets.partition_point(|pair| pair.start < place).checked_sub(1);
        while let Some(pair) = innermost.and_then(|index| brackets.get(index)).filter(|pair| pair.end < place) {
            innermost = pair.around;
        }
        let is_in_macro = innermost.and_then(|index| brackets.get(index)).is_some_and(|pair| pair.is_in_macro);
        (!is_in_macro).then_some(Scope(innermost))
    }

    /// Returns `true` for the scope of an `impl` or a `trait`, as far as it begins with that word: one with brackets before its
    /// brace, as in `impl T for [u8]`, is not known.
    pub(crate) fn is_of_methods(&self, scope: Scope) -> bool {
        let pair = scope.0.and_then(|index| self.brackets.as_ref()?.get(index));
        pair.is_some_and(|pair| pair.is_of_methods)
    }
}

/// Returns the pairs of brackets, if they match.
fn brackets(text: &str) -> Option<Vec<Brackets>> {
    let mut found: Vec<Brackets> = Vec::new();
    let mut around = None;
    let mut at = 0;
    // `!`, or the name after it, as in `macro_rules! name {`
    let mut is_call = false;
    // The first word of an item, without those before it.
    let mut first_word = None;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next()?;
        match first {
            '(' | '[' | '{' => {
                let is_in_macro =
                    is_call || around.and_then(|index: usize| found.get(index)).is_some_and(|pair| pair.is_in_macro);
                let is_of_methods = first == '{' && matches!(first_word, Some("impl" | "trait"));
                found.push(Brackets { start: at, end: text.len(), around, is_in_macro, is_of_methods });
                around = Some(found.len() - 1);
            }
            ')' | ']' | '}' => {
                let pair = found.get_mut(around?)?;
                pair.end = at;
                around = pair.around;
            }
            _ => {}
        }
        let is_comment = rest.starts_with("//") || rest.starts_with("/*");
        is_call = match first {
            '!' => true,
            _ if is_comment || first.is_whitespace() => is_call,
            _ => is_call && is_of_word(first),
        };
        let length = length(rest, first);
        match first {
            '(' | '[' | '{' | ')' | ']' | '}' | ';' => first_word = None,
            _ if is_of_word(first) => {
                let word = rest.get(..length).filter(|word| !["pub", "unsafe", "default"].contains(word));
                first_word = first_word.or(word);
            }
            _ => {}
        }
        at += length;
    }
    around.is_none().then_some(found)
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
