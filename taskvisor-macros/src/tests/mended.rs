//! What becomes of an entry and of a value: which punctuation is mended, which arms are converted, and the types of locals.

use std::str::FromStr;

use proc_macro2::TokenStream;

use super::messages;

fn tree(input: &str) -> (String, Vec<String>) {
    let expanded = crate::supervise::expand(TokenStream::from_str(input).unwrap());
    (expanded.to_string(), messages(&expanded))
}

fn options(list: &str) -> Vec<String> {
    let function = TokenStream::from_str("async fn ping() {}").unwrap();
    messages(&crate::task::expand(TokenStream::from_str(list).unwrap(), function))
}

/// Beside an entry that does not parse, so that the punctuation of all of them is looked at.
#[test]
fn punctuation_that_is_right_is_left_alone() {
    for entry in [
        "a::made()",
        "one + two",
        "one >> two",
        "made(async { x = 1 })",
        "made(|| match x { _ if y => { z = 1 } })",
        "made(unsafe { x = 1 })",
        "label = made(5)",
        "made(a::b { c: 1 })",
        "made(&x { c: 1 })",
    ] {
        let (_, errors) = tree(&format!("tasks = [{entry}, ping {{ client: cl. }}]"));
        assert_eq!(errors, ["a name is missing after the `.`"], "{entry}");
    }
    let (_, errors) = tree("config = { made() }, tasks = [ping { client: cl. }]");
    assert_eq!(errors, ["a name is missing after the `.`"]);
    assert_eq!(options("restart = always \"x\""), ["a `,` is missing before this"]);
    assert_eq!(options("cron: \"@daily\", restart = always"), ["write `=` after `cron`: `cron = ..`"]);
    assert_eq!(options("timeout = a.?, restart = always"), ["expected identifier or integer"]);
    assert_eq!(
        options("timeout = a.?, max_retries = - b = 5 5"),
        ["expected identifier or integer", "a `,` is missing before this"]
    );
}

#[test]
fn m08_equals_in_braces_is_mended_for_each_path_of_a_task() {
    let message = "an argument is a field of the struct: write `size: ..`";
    for (entry, mended) in [
        ("pool { size = 5 }", "pool { size : 5 }"),
        ("a::pool { size = 5 }", "a :: pool { size : 5 }"),
        ("::a::pool { size = 5, other: 1 }", ":: a :: pool { size : 5 , other : 1 }"),
        ("label = a::pool { size = 5 }", "a :: pool { size : 5 }"),
    ] {
        let (expanded, errors) = tree(&format!("tasks = [{entry}]"));
        assert_eq!(errors, [message], "{entry}");
        assert!(expanded.contains(mended), "{entry}: {expanded}");
    }
    let (_, errors) = tree("tasks = [..pool { size = 5 }]");
    assert!(errors.iter().any(|error| error == message), "{errors:?}");
    let (expanded, errors) = tree("tasks = [pool { after = [store], size: 5 }]");
    assert_eq!(errors, ["`after` is an option of an entry: write `task(pool { .. }, after = [..])`"]);
    assert!(expanded.contains("pool { size : 5 }"), "{expanded}");
}

#[test]
fn m22_the_arms_of_a_choice_are_converted_if_they_are_literals() {
    for (entry, converted) in [
        ("if a { ping {} } else { pong {} }", 2),
        ("if a { ping {} } else if b { pong {} } else { pang {} }", 3),
        ("match a { 1 => ping {}, 2 => { pong {} } _ => unreachable!() }", 2),
        ("match a { 1 => ping {}, _ => return }", 1),
        ("if a { ping {} } else { unreachable!(); }", 1),
        ("if a { ping {} } else { made!(); }", 0),
        ("if a { ping {} } else { todo!() }", 1),
        ("if a { ping {} } else { match b { _ => pong {} } }", 2),
        // Nothing to convert, or arms that could have one type.
        ("if a { made() } else { ping {} }", 0),
        ("if a { ping {} } else { made() }", 0),
        ("if a { ping {} } else { made!() }", 0),
        ("match a { 1 => ping {}, _ => made() }", 0),
        ("match a { 1 => ping {}, _ => 'a: { pong {} } }", 0),
        ("if a { ping {}; } else { pong {} }", 0),
        ("{ ping {} }", 0),
    ] {
        let (expanded, errors) = tree(&format!("tasks = [label = {entry}]"));
        assert_eq!(errors, Vec::<String>::new(), "{entry}");
        // One around the whole.
        let count = expanded.matches(":: into_task_spec (").count();
        assert_eq!(count, 1 + converted, "{entry}: {expanded}");
    }
    let group = proc_macro2::Group::new(
        proc_macro2::Delimiter::None,
        TokenStream::from_str("if a { ping {} } else { pong {} }").unwrap(),
    );
    let group = proc_macro2::TokenTree::Group(group);
    let expanded = crate::supervise::expand(quote::quote!(tasks = [label = #group])).to_string();
    assert_eq!(expanded.matches(":: into_task_spec (").count(), 3, "{expanded}");
}

#[test]
fn the_local_of_a_value_has_its_type() {
    for (input, ty) in [
        ("slots = [slot(jobs, admission = made())]", "AdmissionPolicy"),
        ("controller = made()", "ControllerConfig"),
        ("fleet = made()", "Fleet"),
        ("tasks = [task(ping {}, missed = made())]", "Missed"),
        ("tasks = [task(ping {}, standby = made())]", "Standby"),
        ("tasks = [task(ping {}, overrun = made())]", "Overrun"),
        ("tasks = [task(ping {}, ticks = made())]", "Ticks"),
        ("strategy = made()", "Strategy"),
    ] {
        let (expanded, errors) = tree(input);
        assert_eq!(errors, Vec::<String>::new(), "{input}");
        assert!(expanded.contains(&format!(":: {ty} = made () ;")), "{input}: {expanded}");
    }
}
