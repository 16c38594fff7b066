//! Mends what stands in place of an entry: a function, fields without a name, and entries without a `,` between them.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::labels::{Entry, Mended, after_label, comma, entry, equals, has_comma, separator};

/// `async fn ping() {}`, which is left out.
pub(super) fn function(element: &[TokenTree]) -> Option<Mended> {
    let at = element.iter().take(4).position(|tree| matches!(tree, TokenTree::Ident(word) if word == "fn"))?;
    let (TokenTree::Ident(keyword), [TokenTree::Ident(name), TokenTree::Group(_), ..]) =
        (element.get(at)?, element.get(at + 1..)?)
    else {
        return None;
    };
    let message =
        format!("a function stands outside of the tree, under `#[task]`: its entry here is `{name} {{ .. }}`");
    Some(Mended { trees: Vec::new(), found: Some((keyword.span(), message)) })
}

/// `{ name: "ping" }`, also after a label, and `{ ping {}, pong {} }`.
pub(super) fn in_braces(element: &[TokenTree]) -> Option<Mended> {
    let (label, rest) = match element {
        [label @ TokenTree::Ident(_), rest @ ..] if separator(rest).is_some() => {
            (vec![label.clone(), equals(label.span())], rest.get(separator(rest)?..)?)
        }
        element => {
            let (label, rest) = after_label(element);
            (label.to_vec(), rest)
        }
    };
    let [TokenTree::Group(group)] = rest else { return None };
    let inside: Vec<TokenTree> = group.stream().into_iter().collect();
    if group.delimiter() != Delimiter::Brace {
        return None;
    }
    let is_colon = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    let has_field = matches!(inside.first(), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
        && is_colon(inside.get(1))
        && !is_colon(inside.get(2));
    if has_field {
        // Refused when it is read.
        let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
        empty.set_span(group.span());
        return Some(Mended { trees: [&*label, &[empty.into()]].concat(), found: None });
    }
    let message = "leave out these braces: the entries stand side by side in the list";
    // A bare name is told where it stands.
    let is_name = matches!(&*inside, [TokenTree::Ident(_), TokenTree::Punct(mark), ..] if mark.as_char() == ',');
    let is_list = label.is_empty() && (is_name || entry(&inside).is_some()) && has_comma(group);
    is_list.then(|| Mended { trees: inside, found: Some((group.span_open(), message.to_owned())) })
}

/// `ping {} -> pong {}` and `ping {}. pong {}`.
pub(super) fn in_order(element: &[TokenTree]) -> Option<Mended> {
    let Entry { text: first, trees, mut rest } = entry(element)?;
    let (mut mended, mut found) = (trees.to_vec(), None);
    while !rest.is_empty() {
        let at = rest.first()?.span();
        let length = match rest {
            [TokenTree::Punct(dot), ..] if dot.as_char() == '.' => 1,
            [TokenTree::Ident(word), ..] if word == "and" || word == "then" => 1,
            _ => separator(rest).filter(|length| *length == 2)?,
        };
        let Entry { text: second, trees, rest: behind } = entry(rest.get(length..)?)?;
        if found.is_none() {
            let name = first.strip_suffix(" { .. }").unwrap_or("label");
            let message = match length {
                1 => format!("write `,` in place of `{}`, between entries", rest.first()?),
                _ => format!("write `,` between entries, and their order as `task({second}, after = [{name}])`"),
            };
            found = Some((at, message));
        }
        mended.push(comma(at));
        mended.extend_from_slice(trees);
        rest = behind;
    }
    found.is_some().then_some(Mended { trees: mended, found })
}
