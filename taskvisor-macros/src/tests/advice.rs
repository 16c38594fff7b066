//! The advice in the messages of `ui-tests/fail` is obeyed, where it is one word for another at the place of the error.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::messages;

/// The messages of all macros that the source uses.
fn said(source: &str) -> Vec<String> {
    let mut said = Vec::new();
    collect(source.parse().unwrap(), &mut said);
    said
}

fn collect(tokens: TokenStream, said: &mut Vec<String>) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let word = |at: usize| match trees.get(at) {
        Some(TokenTree::Ident(word)) => word.to_string(),
        Some(TokenTree::Punct(mark)) => mark.to_string(),
        _ => String::new(),
    };
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        if at >= 2 && word(at - 1) == "!" && word(at - 2) == "supervise" {
            said.extend(messages(&crate::supervise::expand(group.stream())));
        }
        if at >= 1 && word(at - 1) == "#" && group.delimiter() == Delimiter::Bracket {
            let is_end = |tree: &&TokenTree| match tree {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                TokenTree::Punct(mark) => mark.as_char() == ';',
                _ => false,
            };
            let end = trees[at + 1..].iter().position(|tree| is_end(&tree)).map_or(trees.len(), |end| at + 2 + end);
            said.extend(of_attribute(group.stream(), trees[at + 1..end].iter().cloned().collect()));
        }
        collect(group.stream(), said);
    }
}

fn of_attribute(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    let mut attribute = attribute.into_iter();
    let name = attribute.next().map(|name| name.to_string()).unwrap_or_default();
    let options = match attribute.next() {
        Some(TokenTree::Group(options)) => options.stream(),
        _ => TokenStream::new(),
    };
    match &*name {
        "task" => messages(&crate::task::expand(options, item)),
        "subscriber" => messages(&crate::subscriber::expand(options, item)),
        "supervisor" => messages(&crate::supervisor::expand(options, item)),
        _ => Vec::new(),
    }
}

/// The word that the message says to write, if that is all of its advice.
fn advised(message: &str) -> Option<&str> {
    let advice = message.split_once("did you mean ").map(|(_, advice)| advice.trim_end_matches('?'));
    let advice =
        advice.or_else(|| message.strip_prefix("unknown ")?.split_once(": write ").map(|(_, advice)| advice))?;
    let inside = advice.strip_prefix(['`', '"'])?.strip_suffix(['`', '"'])?;
    let word = inside.strip_suffix("(..)").unwrap_or(inside);
    word.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(word)
}

/// Puts the word in place of the word, or of the text in quotes, at that place.
fn replaced(source: &str, line: usize, column: usize, word: &str) -> String {
    let start = source.split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let inside = source[start..].char_indices().nth(column - 1).unwrap().0;
    let (before, at) = source.split_at(start + inside);
    let (quote, at) = at.strip_prefix('"').map_or(("", at), |at| ("\"", at));
    let end = at.find(|c: char| if quote.is_empty() { !c.is_alphanumeric() && c != '_' } else { c == '"' }).unwrap();
    format!("{before}{quote}{word}{}", &at[end..])
}

#[test]
fn m10_each_word_that_an_output_advises_is_accepted_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests/fail");
    let (mut files, mut followed, mut wrong) = (0, 0, Vec::new());
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        files += 1;
        let (output, source) =
            (fs::read_to_string(&path).unwrap(), fs::read_to_string(path.with_extension("rs")).unwrap());
        let before = said(&source);
        let lines: Vec<&str> = output.lines().collect();
        for pair in lines.windows(2) {
            let (Some(message), true) = (pair[0].strip_prefix("error: "), pair[1].contains("--> ")) else { continue };
            // A word in a pattern is a part of the text at that place.
            let Some(word) = advised(message).filter(|_| !message.contains(" in \"")) else { continue };
            let mut place = pair[1].rsplit(':').map(|number| number.trim().parse::<usize>().unwrap());
            let (column, line) = (place.next().unwrap(), place.next().unwrap());
            let after = said(&replaced(&source, line, column, word));
            let count = |said: &[String]| said.iter().filter(|other| *other == message).count();
            // What is known can still be in contradiction to the rest of the case.
            let is_refused = |message: &&String| message.starts_with("unknown") || message.contains("cannot be given");
            let new: Vec<&String> =
                after.iter().filter(|message| !before.contains(message)).filter(is_refused).collect();
            if count(&after) >= count(&before) || !new.is_empty() {
                let name = path.file_stem().unwrap().display();
                wrong.push(format!(
                    "{name}:{line}:{column}: {message}: {} -> {}, {new:?}",
                    count(&before),
                    count(&after)
                ));
            }
            followed += 1;
        }
    }
    assert!(wrong.is_empty(), "{followed} of {files} files, but {wrong:#?}");
    assert!(files > 25 && followed > 80, "{followed} of {files} files");
}
