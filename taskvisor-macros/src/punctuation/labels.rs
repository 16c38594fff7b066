//! Mends one element of a list in brackets: a label in another place or with other punctuation than in `label = ping {}`, and
//! words before it that other languages need.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

use super::entries::{function, in_braces, in_order};
use crate::apart;
use crate::path::is_name;

/// What a list in brackets has as its elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elements {
    Entries,
    Subscribers,
    Slots,
    Limits,
}

/// A mended element.
pub(crate) struct Mended {
    pub(crate) trees: Vec<TokenTree>,
    /// The place, and what to write there; `None` for what is reported when the element is read.
    pub(crate) found: Option<(Span, String)>,
}

/// Words before an entry that say nothing here.
const BEFORE_ENTRY: [&str; 20] = [
    "move", "mut", "new", "async", "await", "pub", "ref", "static", "const", "fn", "box", "struct", "dyn", "unsafe",
    "do", "spawn", "start", "run", "launch", "var",
];

/// Words before a label that say nothing here.
const BEFORE_LABEL: [&str; 12] =
    ["task", "group", "slot", "limit", "label", "var", "val", "def", "service", "job", "worker", "type"];

impl Elements {
    /// Returns what the list of this key has.
    pub(crate) fn of(key: &Ident) -> Self {
        match &*key.to_string() {
            "subscribers" | "subscriber" => Self::Subscribers,
            "slots" | "slot" => Self::Slots,
            "limits" | "limit" => Self::Limits,
            _ => Self::Entries,
        }
    }

    /// Returns the element with the right punctuation, if it is mended.
    pub(crate) fn mend(self, element: &[TokenTree]) -> Option<Mended> {
        let (attributes, element) = element.split_at(attributes(element));
        let mended = self.mend_bare(element)?;
        Some(Mended { trees: [attributes, &mended.trees].concat(), ..mended })
    }

    fn mend_bare(self, element: &[TokenTree]) -> Option<Mended> {
        quoted_label(element)
            .or_else(|| word_before_label(element))
            .or_else(|| self.without_parentheses(element))
            .or_else(|| word_before_entry(element))
            .or_else(|| mark_before(element))
            .or_else(|| let_before(element))
            .or_else(|| type_of_label(element))
            .or_else(|| function(element))
            .or_else(|| self.label_behind(element))
            .or_else(|| self.label_alone(element))
            .or_else(|| self.queue_behind(element))
            .or_else(|| in_braces(element))
            .or_else(|| in_order(element))
    }

    /// `slot deploy`, `limit db 4`, `group store(..)`, `task ping {}` and `task[ping {}, critical]`.
    fn without_parentheses(self, element: &[TokenTree]) -> Option<Mended> {
        let (label, call) = after_label(element);
        let [TokenTree::Ident(word), first, rest @ ..] = call else { return None };
        if !["task", "group", "slot", "limit"].iter().any(|call| word == call) {
            return None;
        }
        let with_list = |list: TokenStream, at: Span| {
            let mut list = Group::new(Delimiter::Parenthesis, list);
            list.set_span(at);
            [label, &[word.clone().into(), list.into()]].concat()
        };
        let write = || format!("write `{word}(..)`, with parentheses");
        match (first, rest) {
            (TokenTree::Group(list), []) if list.delimiter() == Delimiter::Bracket && has_comma(list) => {
                let trees = with_list(list.stream(), list.span());
                Some(Mended { trees, found: Some((list.span_open(), write())) })
            }
            (TokenTree::Ident(name), [TokenTree::Group(list)])
                if list.delimiter() == Delimiter::Parenthesis && word == "group" =>
            {
                let message = format!("the name of a group is its label: write `{name} = group(..)`");
                let trees = vec![name.clone().into(), equals(name.span()), word.clone().into(), list.clone().into()];
                Some(Mended { trees, found: Some((name.span(), message)) })
            }
            (TokenTree::Ident(name), [TokenTree::Group(list)])
                if list.delimiter() == Delimiter::Parenthesis && self == Self::Slots =>
            {
                let message = format!("the name of a slot stands in its list: write `slot({name}, ..)`");
                let options = [first.clone(), comma(name.span())].into_iter().chain(list.stream());
                let mut list = Group::new(Delimiter::Parenthesis, options.collect());
                list.set_span(name.span());
                let trees = [label, &[Ident::new("slot", word.span()).into(), list.into()]].concat();
                Some(Mended { trees, found: Some((name.span(), message)) })
            }
            (TokenTree::Ident(name), []) if self == Self::Slots => Some(Mended {
                trees: with_list(first.clone().into(), name.span()),
                found: Some((name.span(), write())),
            }),
            (TokenTree::Ident(name), [number @ TokenTree::Literal(_)]) if self == Self::Limits => {
                let list = [first.clone(), comma(name.span()), number.clone()].into_iter().collect();
                Some(Mended { trees: with_list(list, name.span()), found: Some((name.span(), write())) })
            }
            (TokenTree::Ident(name), _) if word == "task" && entry(call.get(1..)?)?.is_whole() => {
                let list = call.iter().skip(1).cloned().collect();
                Some(Mended { trees: with_list(list, name.span()), found: Some((name.span(), write())) })
            }
            _ => None,
        }
    }

    /// `ping {} as "alpha"`, `ping {} @ alpha`, `ping {}: "alpha"`, `ping {} => alpha`.
    fn label_behind(self, element: &[TokenTree]) -> Option<Mended> {
        let Entry { text, trees, rest } = entry(element)?;
        let (at, label) = match rest {
            [TokenTree::Ident(word), label] if word == "as" => (word.span(), label),
            [TokenTree::Punct(mark), label] if matches!(mark.as_char(), '@' | ':') => (mark.span(), label),
            [TokenTree::Punct(mark), TokenTree::Punct(end), label]
                if matches!(mark.as_char(), '=' | '-') && end.as_char() == '>' =>
            {
                (mark.span(), label)
            }
            [label @ TokenTree::Literal(text)] => (text.span(), label),
            _ => return None,
        };
        let label = match label {
            TokenTree::Ident(label) => is_name(label).then(|| label.clone())?,
            TokenTree::Literal(text) => name_in_quotes(text)?,
            _ => return None,
        };
        let message = match self {
            Self::Subscribers => None,
            _ => Some((at, format!("a label stands before its entry: write `{label} = {text}`"))),
        };
        let trees = [&[label.clone().into(), equals(at)], trees].concat();
        Some(Mended { trees, found: message })
    }

    /// `alpha ping {}`, which can be a label without its `=` as well as two entries.
    fn label_alone(self, element: &[TokenTree]) -> Option<Mended> {
        let [TokenTree::Ident(label), rest @ ..] = element else { return None };
        let found = entry(rest).filter(Entry::is_whole)?;
        if self != Self::Entries || !is_name(label) || apart::option(label).is_some() {
            return None;
        }
        let at = rest.first()?.span();
        let message = format!("a `=` or a `,` is missing before this: write `{label} = {}` for a label", found.text);
        Some(Mended { trees: [&[label.clone().into(), equals(at)], rest].concat(), found: Some((at, message)) })
    }

    /// `log {} queue = 3` among the subscribers.
    fn queue_behind(self, element: &[TokenTree]) -> Option<Mended> {
        let Entry { trees, rest, .. } = entry(element).filter(|_| self == Self::Subscribers)?;
        let [TokenTree::Ident(option), TokenTree::Punct(mark), ..] = rest else { return None };
        let message = crate::supervise::option_of_subscriber(option).filter(|_| mark.as_char() == '=')?;
        Some(Mended { trees: trees.to_vec(), found: Some((option.span(), message)) })
    }
}

/// `"alpha": ping {}`, `"alpha" => ping {}` and `"alpha" ping {}`. The label is refused when it is read.
fn quoted_label(element: &[TokenTree]) -> Option<Mended> {
    let [label @ TokenTree::Literal(text), rest @ ..] = element else { return None };
    let entry = rest.get(separator(rest).unwrap_or_default()..)?;
    let is_label = text.to_string().starts_with('"') && self::entry(entry).is_some_and(|entry| entry.is_whole());
    is_label.then(|| Mended { trees: [&[label.clone(), equals(label.span())], entry].concat(), found: None })
}

/// `critical alpha = ping {}` and `task alpha = ping {}`.
fn word_before_label(element: &[TokenTree]) -> Option<Mended> {
    let (TokenTree::Ident(word), rest) = element.split_first()? else { return None };
    let [TokenTree::Ident(label), TokenTree::Punct(mark), entry @ ..] = rest else { return None };
    if mark.as_char() != '=' || mark.spacing() == Spacing::Joint {
        return None;
    }
    if let ("group", [TokenTree::Group(list)]) = (&*word.to_string(), entry) {
        let message = format!("write `{label} = group(..)`");
        let trees = vec![label.clone().into(), equals(label.span()), word.clone().into(), list.clone().into()];
        return Some(Mended { trees, found: Some((word.span(), message)) });
    }
    let message = match (apart::option(word), self::entry(entry)) {
        (Some(option), Some(entry)) if entry.is_whole() && entry.is_literal() => {
            format!("`{option}` is an option of an entry: write `{label} = task({}, {option})`", entry.text)
        }
        (Some(option), _) => format!("`{option}` is an option of an entry: write it in the list of `task(..)`"),
        _ if BEFORE_LABEL.iter().chain(&BEFORE_ENTRY).any(|known| word == known) => {
            format!("leave out `{word}`: a label stands alone before the `=`")
        }
        _ => return None,
    };
    Some(Mended { trees: rest.to_vec(), found: Some((word.span(), message)) })
}

/// `move ping {}`, also after a label, whose punctuation may be wrong as well.
fn word_before_entry(element: &[TokenTree]) -> Option<Mended> {
    let is_equals = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == '=');
    let (label, rest) = match element {
        [TokenTree::Ident(_), first, second, ..] if is_equals(first) && is_equals(second) => element.split_at(3),
        [TokenTree::Ident(_), rest @ ..] => {
            separator(rest).map_or_else(|| after_label(element), |length| element.split_at(1 + length))
        }
        _ => after_label(element),
    };
    let [TokenTree::Ident(word), rest @ ..] = rest else { return None };
    let entry = entry(rest).filter(|_| BEFORE_ENTRY.iter().any(|known| word == known))?;
    let message = format!("leave out `{word}`: an entry is `{}`", entry.text);
    Some(Mended { trees: [label, rest].concat(), found: Some((word.span(), message)) })
}

/// `@ping {}`, also after a label, and `$alpha = ping {}`.
fn mark_before(element: &[TokenTree]) -> Option<Mended> {
    let (label, rest) = after_label(element);
    let (TokenTree::Punct(mark), rest) = rest.split_first()? else { return None };
    let sign = mark.as_char();
    if !"@$%~^?+/\\':#".contains(sign) {
        return None;
    }
    if let Some(entry) = entry(rest) {
        let message = format!("leave out `{sign}`: an entry is `{}`", entry.text);
        return Some(Mended { trees: [label, rest].concat(), found: Some((mark.span(), message)) });
    }
    let (alpha @ TokenTree::Ident(name), rest) = rest.split_first()? else { return None };
    let is_assigned = matches!(rest.first(), Some(TokenTree::Punct(mark)) if mark.as_char() == '=');
    let length = separator(rest).or(is_assigned.then_some(1))?;
    let message = format!("leave out `{sign}`: a label is a plain name, as in `{name} = ..`");
    let trees = [&[alpha.clone(), equals(name.span())], rest.get(length..)?].concat();
    Some(Mended { trees, found: Some((mark.span(), message)) })
}

/// `let mut alpha = ping {}` and `let alpha: Task = ping {}`.
fn let_before(element: &[TokenTree]) -> Option<Mended> {
    let (TokenTree::Ident(word), rest) = element.split_first()? else { return None };
    let rest = match rest {
        [TokenTree::Ident(mutable), rest @ ..] if mutable == "mut" => rest,
        rest => rest,
    };
    let (label, rest) = rest.split_first().filter(|_| word == "let")?;
    let is_assigned = |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == '=');
    let value = rest.get(rest.iter().position(is_assigned)? + 1..)?;
    let trees = [&[label.clone(), equals(label.span())], value].concat();
    Some(Mended {
        trees,
        found: Some((word.span(), "leave out `let`: a label stands alone before the `=`".to_owned())),
    })
}

/// `alpha: Task = ping {}`.
fn type_of_label(element: &[TokenTree]) -> Option<Mended> {
    let (label @ TokenTree::Ident(name), rest) = element.split_first()? else { return None };
    let [TokenTree::Punct(colon), TokenTree::Ident(ty), TokenTree::Punct(mark), entry @ ..] = rest else { return None };
    let text = self::entry(entry).filter(|_| colon.as_char() == ':' && mark.as_char() == '=')?.text;
    let message = format!("a label has no type: write `{name} = {text}`");
    Some(Mended { trees: [&[label.clone(), equals(ty.span())], entry].concat(), found: Some((ty.span(), message)) })
}

/// An entry at the start of an element: `ping {}`, or a call such as `task(..)`.
pub(super) struct Entry<'a> {
    /// Its form, for messages.
    pub(super) text: String,
    pub(super) trees: &'a [TokenTree],
    pub(super) rest: &'a [TokenTree],
}

impl Entry<'_> {
    /// Returns `true` if nothing follows.
    fn is_whole(&self) -> bool {
        self.rest.is_empty()
    }

    fn is_literal(&self) -> bool {
        self.text.ends_with('}')
    }
}

pub(super) fn entry(trees: &[TokenTree]) -> Option<Entry<'_>> {
    let (text, rest) = match trees {
        [TokenTree::Ident(word), TokenTree::Group(list), rest @ ..]
            if list.delimiter() == Delimiter::Parenthesis
                && ["task", "group", "slot"].iter().any(|call| word == call) =>
        {
            (format!("{word}(..)"), rest)
        }
        [TokenTree::Ident(first), ..] if is_name(first) => {
            let (name, rest) =
                apart::entry_at_start(trees).filter(|(name, _)| !name.replace("::", "").contains(':'))?;
            (format!("{name} {{ .. }}"), rest)
        }
        _ => return None,
    };
    let (trees, rest) = trees.split_at_checked(trees.len() - rest.len())?;
    Some(Entry { text, trees, rest })
}

/// Returns the length of `:`, `@`, `:=`, `=>`, `->` or `<-` at the start.
pub(crate) fn separator(trees: &[TokenTree]) -> Option<usize> {
    let mark = |at: usize| match trees.get(at) {
        Some(TokenTree::Punct(mark)) => mark.as_char(),
        _ => ' ',
    };
    match (mark(0), mark(1)) {
        (':', '=') | ('=' | '-', '>') | ('<', '-') => Some(2),
        (':', ':') => None,
        (':' | '@', _) => Some(1),
        _ => None,
    }
}

/// Splits `label =` off.
pub(super) fn after_label(element: &[TokenTree]) -> (&[TokenTree], &[TokenTree]) {
    let length = match element {
        [TokenTree::Ident(_), TokenTree::Punct(mark), ..]
            if mark.as_char() == '=' && mark.spacing() == Spacing::Alone =>
        {
            2
        }
        _ => 0,
    };
    element.split_at(length)
}

/// Returns how many tokens the attributes at the start have.
fn attributes(element: &[TokenTree]) -> usize {
    match element {
        [TokenTree::Punct(hash), TokenTree::Group(list), rest @ ..]
            if hash.as_char() == '#' && list.delimiter() == Delimiter::Bracket =>
        {
            2 + attributes(rest)
        }
        _ => 0,
    }
}

pub(super) fn has_comma(group: &Group) -> bool {
    group.stream().into_iter().any(|tree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == ','))
}

/// Returns the name in a string.
fn name_in_quotes(text: &Literal) -> Option<Ident> {
    let text: syn::LitStr = syn::parse2(TokenTree::from(text.clone()).into()).ok()?;
    text.parse::<Ident>().ok()
}

pub(super) fn equals(at: Span) -> TokenTree {
    mark('=', at)
}

pub(super) fn comma(at: Span) -> TokenTree {
    mark(',', at)
}

fn mark(mark: char, at: Span) -> TokenTree {
    let mut mark = Punct::new(mark, Spacing::Alone);
    mark.set_span(at);
    mark.into()
}
