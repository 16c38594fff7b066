//! The messages in the documentation match those of the macros.

use proc_macro2::{TokenStream, TokenTree};

use super::messages;
use crate::argument::parse_list;
use crate::errors::Errors;
use crate::markdown::{Table, code, tables};
use crate::options::{Options, Place};
use crate::reader::Reader;

const PAGES: [(&str, &str); 4] = [
    ("task", include_str!("../mistakes/task.md")),
    ("subscriber", include_str!("../mistakes/subscriber.md")),
    ("supervise", include_str!("../mistakes/supervise.md")),
    ("supervisor", include_str!("../mistakes/supervisor.md")),
];

/// The output of the compiler where only the compiler can report the mistake. Other tests compare it.
const SAID: [&str; 8] = [
    include_str!("../../../ui-tests/fail-rustc/arguments.stderr"),
    include_str!("../../../ui-tests/fail-rustc/expressions.stderr"),
    include_str!("../../../ui-tests/fail-rustc/handles.stderr"),
    include_str!("../../../ui-tests/fail/m14_main.stderr"),
    include_str!("../../../ui-tests/fail/m24_in_impl.stderr"),
    include_str!("../../../ui-tests/fail-rustc/names.stderr"),
    include_str!("../../../ui-tests/fail-rustc/outcomes.stderr"),
    include_str!("../../../ui-tests/fail-rustc/subscribers.stderr"),
];

/// The messages of the macros for the code in a row; `None` if this build cannot give them.
fn said(table: &Table, code: &str) -> Option<Vec<String>> {
    let expanded = match &*table.header[0] {
        "a schedule in `#[task(..)]`" if cfg!(not(feature = "cron")) => return None,
        "a singleton in `#[task(..)]`" | "a fleet in `supervise!(..)`" if cfg!(not(feature = "fleet")) => return None,
        "a fleet in `supervise!(..)`" if cfg!(not(feature = "controller")) && code.contains("slots") => return None,
        "in `supervise!(..)`, without the feature `fleet`" => {
            return Some(crate::supervise::without_fleet(code.parse().unwrap()));
        }
        "in `#[task(..)]`, without the feature `fleet`" => return Some(without(code, Options::check_singleton)),
        "in `#[task(..)]`, without the feature `cron`" => return Some(without(code, Options::check_schedule)),
        "in `#[task(..)]`" | "a schedule in `#[task(..)]`" | "a singleton in `#[task(..)]`" => {
            on_function(&format!("#[task({code})] async fn ping(ctx: TaskContext) -> Result<(), String> {{}}"))
        }
        "in `#[subscriber(..)]`" => on_function(&format!("#[subscriber({code})] async fn listen(event: &Event) {{}}")),
        "a function" if code.ends_with(['}', ';']) => on_function(code),
        "a function" => on_function(&format!("{code} {{}}")),
        "in `supervise!(..)`" | "a fleet in `supervise!(..)`" => in_tree(code),
        "in `tasks = [..]`" => in_tree(&format!("tasks = [{code}]")),
        "in `slots = [..]`" if cfg!(feature = "controller") => in_tree(&format!("slots = [{code}]")),
        "in `supervise!(..)`, without the feature `controller`" if cfg!(not(feature = "controller")) => in_tree(code),
        "in `slots = [..]`" | "in `supervise!(..)`, without the feature `controller`" => return None,
        other => panic!("a table that nobody compares: {other}"),
    };
    Some(messages(&expanded))
}

/// The messages of `#[task]` of this check in a build without its feature.
fn without(code: &str, check: fn(&Options, Place, bool, &mut Errors)) -> Vec<String> {
    let mut reader = Reader::default();
    let list = parse_list(code.parse().unwrap(), &mut reader);
    let options = Options::parse(Place::Attribute, &list, &mut reader);
    check(&options, Place::Attribute, false, &mut reader.errors);
    reader.errors.messages()
}

fn in_tree(code: &str) -> TokenStream {
    crate::supervise::expand(code.parse().unwrap())
}

/// Expands the attribute at the start of the code.
fn on_function(code: &str) -> TokenStream {
    let mut tokens = code.parse::<TokenStream>().unwrap().into_iter();
    let Some(TokenTree::Group(attribute)) = tokens.nth(1) else { panic!("no attribute: {code}") };
    let mut attribute = attribute.stream().into_iter();
    let name = attribute.next().unwrap().to_string();
    let options = match attribute.next() {
        Some(TokenTree::Group(options)) => options.stream(),
        _ => TokenStream::new(),
    };
    match &*name {
        "task" => crate::task::expand(options, tokens.collect()),
        "subscriber" => crate::subscriber::expand(options, tokens.collect()),
        "supervisor" => crate::supervisor::expand(options, tokens.collect()),
        _ => panic!("no such attribute: {code}"),
    }
}

/// `..` in a documented message stands for part of a list.
fn is_documented_as(said: &str, message: &str) -> bool {
    match message.split_once(", .. or ") {
        Some((first, last)) => said.starts_with(first) && said.ends_with(&format!(" or {last}")),
        None => said == message,
    }
}

#[test]
fn each_mistake_gets_the_message_that_is_documented() {
    for (page, text) in PAGES {
        for table in tables(text) {
            for row in &table.rows {
                let [mistake, message] = &**row else { panic!("{page}: no row of two cells: {row:?}") };
                if table.header[1] == "what it says" {
                    assert!(SAID.iter().any(|said| said.contains(message)), "{page}: nobody says {message}");
                } else if let Some(said) = said(&table, code(mistake)[0]) {
                    let said = said.join("<br>");
                    assert!(is_documented_as(&said, message), "{page}: {mistake} gives {said}, and not {message}");
                }
            }
        }
    }
}

/// Follows the advice of the message: the code with what it says to write. `None` if the advice is not code, or leaves
/// open what stands at a `..`.
fn obeyed(code: &str, message: &str) -> Option<String> {
    let (before, after) = message.split_once("did you mean ").or_else(|| message.split_once("write "))?;
    let (advice, quote) = quoted(after.strip_prefix("for example ").unwrap_or(after))?;
    if !advice.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '#' | '[')) {
        return None;
    }
    // The value of the key stands at `..`.
    let (key, value) = code.split_once(" = ").unzip();
    let advice = match (advice.matches("..").count(), value) {
        (0, _) => advice.to_owned(),
        (1, Some(value)) if advice.ends_with(" = ..)") || advice.ends_with(" = ..") => advice.replace("..", value),
        _ => return None,
    };
    let word =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    let is_word = word(&advice) == advice;
    let unknown = before.strip_prefix("unknown ");
    if is_word || quote == '"' {
        // The wrong word is the last one that is named before: `restart` "alway".
        let named = before.split(" in ").next().unwrap_or(before);
        let wrong = named.trim_end_matches([',', ':', ' ']).rsplit(['`', '"']).nth(1)?;
        let wrong = if unknown.is_some() { wrong } else { quoted(before).filter(|(_, quote)| *quote == '"')?.0 };
        return Some(code.replacen(wrong, &advice, 1));
    }
    match (key, value) {
        (Some(key), Some(value)) if word(value) == word(&advice) => Some(format!("{key} = {advice}")),
        _ if code.contains(", ") => None,
        _ => Some(advice),
    }
}

/// Returns the first text in backticks or double quotes, with its quote.
fn quoted(text: &str) -> Option<(&str, char)> {
    let start = text.find(['`', '"'])?;
    let quote = text[start..].chars().next()?;
    let (inside, _) = text[start + 1..].split_once(quote)?;
    Some((inside, quote))
}

/// Each piece of advice that is code compiles where it is followed, as far as the macros can tell.
#[test]
fn m10_advice_can_be_obeyed() {
    let mut followed = 0;
    for (page, text) in PAGES {
        for table in tables(text).iter().filter(|table| table.header[1] != "what it says") {
            for row in &table.rows {
                let mistake = code(&row[0])[0];
                let Some(better) = obeyed(mistake, &row[1]).filter(|better| better != mistake) else { continue };
                let is_part = table.header[0] == "a function" && !better.starts_with('#');
                if is_part || better.parse::<TokenStream>().is_err() || row[1].contains("<br>") {
                    continue;
                }
                if let Some(said) = said(table, &better) {
                    assert!(said.is_empty(), "{page}: `{mistake}` says {}; but `{better}` says {said:?}", row[1]);
                    followed += 1;
                }
            }
        }
    }
    assert!(followed >= 35, "only {followed}");
}
