use proc_macro2::TokenStream;
use quote::quote;

use super::messages;
use crate::supervise::expand;

fn expand_tree(input: TokenStream) -> (String, Vec<String>) {
    let expanded = expand(input);
    let errors = messages(&expanded);
    let text = expanded.to_string();
    syn::parse2::<syn::Expr>(expanded).unwrap();
    (text, errors)
}

fn fields(expanded: &str) -> Vec<String> {
    let (_, tasks) = expanded.split_once("struct Tasks {").unwrap();
    let (tasks, _) = tasks.split_once('}').unwrap();
    let fields = tasks.split("pub ").skip(1);
    fields.filter_map(|field| Some(field.split_once(" :")?.0.to_owned())).collect()
}

#[test]
fn entries_have_the_fields_that_their_form_gives() {
    let (expanded, errors) = expand_tree(quote!(
        tasks = [
            ping { client },
            path::to::pong {},
            inner::poll::spec(1),
            label = anything(),
            task(timed {}, timeout = "5s"),
            other = task(timed {}, timeout = "5s"),
            plain,
            r#loop {},
            some::path,
            call(),
            ping::spec(1).with_name("x"),
            { block },
            ..iterator,
        ],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    let expected = ["ping", "pong", "poll", "label", "timed", "other", "plain", "r#loop"];
    assert_eq!(fields(&expanded), expected);
}

#[test]
fn a_half_typed_entry_keeps_its_field_and_all_others() {
    let (expanded, errors) = expand_tree(quote!(
        grace = ,
        tasks = [
            ping {},
            half { client: cl. },
            label = path::other { client: },
            task(inner { a: }, timeout = "5s"),
            closure(|a, b| generic::<A, B>()),
            pong {},
        ],
    ));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(fields(&expanded), ["ping", "half", "label", "inner", "pong"]);
}

#[test]
fn labels_collide_unless_conditional() {
    let (expanded, errors) = expand_tree(quote!(tasks = [ping {}, ping {}, r#ping = pong {}]));
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(fields(&expanded), ["ping"]);
    let (_, errors) = expand_tree(quote!(
        tasks = [
            #[cfg(a)]
            ping {},
            #[cfg(not(a))]
            ping {}
        ]
    ));
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn all_errors_are_reported_at_once() {
    let (_, errors) = expand_tree(quote!(
        gracee = "5s",
        drain = 5,
        signals = "x",
        defaults(timout = "5s"),
        tasks = [task(ping {}, timout = "5s"), ping {}],
        5,
    ));
    assert_eq!(errors.len(), 8, "{errors:#?}");
}

#[test]
fn the_users_expressions_come_before_our_items() {
    let (expanded, _) = expand_tree(quote!(tasks = [Tree::own()], config = own()));
    let (tree, config) = (expanded.find("Tree :: own"), expanded.find("own ()"));
    let items = expanded.find("struct Tree");
    assert!(tree < items && config < items && tree < config, "{expanded}");
}

#[test]
fn keys_override_fields_of_the_config() {
    let (expanded, errors) = expand_tree(quote!(
        config = own(),
        grace = "3s",
        drain = "1.5s",
        max_concurrent = 4,
        signals = false,
        name = "app",
        defaults(stop_timeout = "2s", max_retries = 3, backoff(reset_after = "1m")),
        subscribers = [first, second()],
    ));
    assert!(errors.is_empty(), "{errors:?}");
    for expected in [
        "let mut config = value0",
        "config . grace = :: taskvisor :: __private :: Duration :: new (3u64 , 0u32)",
        "config . drain = :: taskvisor :: __private :: Duration :: new (1u64 , 500000000u32)",
        "config . max_concurrent = 4usize",
        "config . signals = false",
        "config . stop_timeout = :: taskvisor :: __private :: Option :: Some",
        "config . max_retries = :: taskvisor :: __private :: Option :: Some (3u32)",
        "config . reset_after = :: taskvisor :: __private :: Option :: Some",
        "builder (config) . name (\"app\")",
        "builder . subscriber (value1) ; let builder = builder . subscriber (value2)",
    ] {
        assert!(expanded.contains(expected), "{expected} is not in {expanded}");
    }
}
